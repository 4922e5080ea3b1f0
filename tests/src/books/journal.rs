//! Shows 7: the journals, read by hledger and beancount, balance, and every account has the balance that the API gives.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::json;

use super::readers::{read_balances, run};
use super::shop::{NAMES, balances, decimal, export, trade};
use crate::harness::{Ask, TestApp};

async fn subscribers(owner: &Ask<'_>) -> Vec<(String, Decimal)> {
    let query = "{ subscribers(first: 100) { nodes { accountNumber balance { amount } } } }";
    let all = owner.gql(query, json!({})).await.at("subscribers.nodes");
    let each = all.as_array().unwrap().iter();
    each.map(|s| {
        (
            s["accountNumber"].as_str().unwrap().to_owned(),
            decimal(&s["balance"]["amount"]),
        )
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hledger_and_beancount_find_what_the_api_gives() {
    let app = TestApp::new().await;
    for (slug, currency) in [("asha", "INR"), ("baraka", "KES")] {
        app.set_clock(crate::harness::START).await;
        trade(&app, slug).await;
        let owner = app.on(slug).as_owner();
        let mut given = balances(&owner).await;
        assert_eq!(given.values().sum::<Decimal>(), Decimal::ZERO, "{slug}: the books balance");
        given.retain(|_, balance| !balance.is_zero());
        assert!(given.len() > 12, "{slug}: {given:#?}");
        let ends = |name: &str, balance: &str| {
            let found = given.iter().find(|(account, _)| account.contains(name));
            assert_eq!(
                found.map(|(_, given)| given.to_string()),
                Some(balance.to_owned()),
                "{slug} {name}: {given:#?}"
            );
        };
        // What was held less what went back; what was given up less what came in after all.
        ends("Deposit", "-666.67");
        ends("Write-Off", if slug == "asha" { "254.60" } else { "293.60" });
        let books = tempfile::tempdir().unwrap();

        let journal = books.path().join("books.journal");
        std::fs::write(&journal, export(&owner, "format: HLEDGER").await).unwrap();
        run("hledger", &["-f", "{}", "check", "--strict", "ordereddates"], &journal);
        let said = run("hledger", &["-f", "{}", "bal", "-N", "--flat", "-O", "csv"], &journal);
        assert_eq!(read_balances(&said, currency), given, "{slug}, hledger");
        // No name says what sort an account is of, nor what a transaction's code is.
        for (query, sort) in [
            ("type:AL", "^(Assets|Liabilities):"),
            ("type:RX", "^(Income|Expenses):"),
            ("type:E", "^Equity:"),
        ] {
            let of = |query: &str| run("hledger", &["-f", "{}", "accounts", "--used", query], &journal);
            assert_eq!(of(query), of(sort), "{slug} {query}");
        }
        assert_eq!(run("hledger", &["-f", "{}", "print", "code:^x$"], &journal), "", "{slug}");
        let tags = run("hledger", &["-f", "{}", "tags"], &journal);
        assert_eq!(tags, "id\nkind\n", "{slug}");
        for (number, balance) in subscribers(&owner).await {
            let of = format!("(Receivable|Credit):{number}$");
            let said = run("hledger", &["-f", "{}", "bal", "-N", "--flat", "-O", "csv", &of], &journal);
            assert_eq!(
                read_balances(&said, currency).values().sum::<Decimal>(),
                balance,
                "{slug} {number}"
            );
        }

        let ledger = books.path().join("books.beancount");
        std::fs::write(&ledger, export(&owner, "format: BEANCOUNT").await).unwrap();
        let said = run("bean-check", &["{}"], &ledger);
        assert_eq!(said, "");
        let query = "SELECT account, sum(position) GROUP BY account";
        let said = run("bean-query", &["-f", "csv", "{}", query], &ledger);
        assert_eq!(read_balances(&said, currency), given, "{slug}, beancount");

        let mut summed: BTreeMap<String, Decimal> = BTreeMap::new();
        let csv = export(&owner, "format: CSV").await;
        let rows = rows(&csv);
        for row in rows.iter().skip(1) {
            assert_eq!(row.len(), 12, "{row:?}");
            let side = |n: usize| {
                if row[n].is_empty() {
                    Decimal::ZERO
                } else {
                    row[n].parse().unwrap()
                }
            };
            *summed.entry(row[6].clone()).or_default() += side(9) - side(10);
            assert_eq!(row[11], currency);
        }
        summed.retain(|_, balance| !balance.is_zero());
        assert_eq!(summed, given, "{slug}, CSV");
        for name in NAMES {
            let shown = name.replace('\u{2028}', " ").trim().to_owned();
            let guarded = if shown.starts_with(['=', '-', '@', '+']) {
                format!("'{shown}")
            } else {
                shown
            };
            assert!(rows.iter().any(|row| row[8] == guarded), "{guarded}: {csv}");
        }
        assert!(!csv.contains(",=") && !csv.contains(",@") && !csv.contains(",\"="), "{csv}");
    }
}

/// Rows of cells (RFC 4180).
fn rows(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                cell.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    assert!(!quoted && cell.is_empty(), "the text ends within a row");
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trial_balance_is_of_any_day_and_comes_to_nothing() {
    let app = TestApp::new().await;
    trade(&app, "asha").await;
    let owner = app.on("asha").as_owner();
    let query = "query($day: Date) { trialBalance(asOf: $day) { asOf debit { amount } credit { amount }
        lines { kind name accountId debit { amount } credit { amount } balance { amount } } } }";
    let mut totals = Vec::new();
    for day in [json!("2026-03-30"), json!("2026-03-31"), json!("2026-04-01"), json!(null)] {
        let books = owner.gql(query, json!({ "day": day })).await.at("trialBalance");
        assert_eq!(books["debit"], books["credit"], "{day}");
        let lines = books["lines"].as_array().unwrap();
        let sum: Decimal = lines.iter().map(|l| decimal(&l["balance"]["amount"])).sum();
        assert_eq!(sum, Decimal::ZERO, "{day}");
        totals.push((lines.len(), decimal(&books["debit"]["amount"])));
    }
    assert_eq!(totals[0], (0, Decimal::ZERO));
    assert_eq!(totals[1].1, "587.75".parse().unwrap(), "the balances that were brought along");
    assert!(totals[1] < totals[2] && totals[2].1 < totals[3].1, "{totals:?}");

    let now = owner.gql(query, json!({})).await.at("trialBalance");
    let given = balances(&owner).await;
    for line in now["lines"].as_array().unwrap() {
        let name = line["name"].as_str().unwrap();
        let below = format!("{name}:");
        let of = |account: &str| account == name || (line["accountId"].is_null() && account.starts_with(&below));
        let sum: Decimal = given
            .iter()
            .filter(|(account, _)| of(account))
            .map(|(_, balance)| *balance)
            .sum();
        assert_eq!(decimal(&line["balance"]["amount"]), sum, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accounts_postings_count_on_from_page_to_page() {
    let app = TestApp::new().await;
    trade(&app, "asha").await;
    let owner = app.on("asha").as_owner();
    let query = "query($after: String, $id: ID!, $from: Date) { ledgerAccount(id: $id) { name balance { amount }
        postings(first: 3, after: $after, from: $from) { nodes { entryId kind bookedOn debit { amount } credit { amount }
            balance { amount } document { kind id number } } pageInfo { hasNextPage endCursor } totalCount } } }";
    let accounts = owner
        .gql("{ ledgerAccounts(first: 100) { nodes { id } } }", json!({}))
        .await
        .at("ledgerAccounts.nodes");
    let (mut read, mut documented) = (0, 0);
    for account in accounts.as_array().unwrap() {
        for from in [json!(null), json!("2026-04-02")] {
            let (mut after, mut expected, mut listed) = (json!(null), None::<Decimal>, 0);
            loop {
                let input = json!({ "id": account["id"], "after": after, "from": from });
                let page = owner.gql(query, input).await.at("ledgerAccount");
                for node in page["postings"]["nodes"].as_array().unwrap() {
                    let amount = |field: &str| decimal(&node[field]["amount"]);
                    let moved = amount("debit") - amount("credit");
                    if let Some(before) = expected {
                        assert_eq!(amount("balance"), before + moved, "{node}");
                    } else if from.is_null() {
                        assert_eq!(amount("balance"), moved, "{node}");
                    }
                    expected = Some(amount("balance"));
                    (read, listed) = (read + 1, listed + 1);
                    documented += usize::from(!node["document"].is_null());
                }
                if page["postings"]["pageInfo"]["hasNextPage"] == false {
                    assert_eq!(page["postings"]["totalCount"], listed, "{page}");
                    if let Some(last) = expected {
                        assert_eq!(last, decimal(&page["balance"]["amount"]), "{page}");
                    }
                    break;
                }
                after = page["postings"]["pageInfo"]["endCursor"].clone();
            }
        }
    }
    assert!(read > 60 && documented > 50, "{read} read, {documented} with a document");
}
