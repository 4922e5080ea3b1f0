//! Many at once, and long histories.

use std::sync::Arc;

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rust_decimal::Decimal;
use trunkline_domain::kernel::money::Money;
use trunkline_domain::ledger::{self, Account, Entry, Transfer};
use uuid::Uuid;

use super::isp::{cash, isp, refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_24_times_at_once_makes_one_payment() {
    let isp = Arc::new(isp().await);
    let payer = isp.subscriber().await;
    isp.invoice(payer, "500", 1).await;
    let cmd = cash(payer, "120");
    let calls = (0..24).map(|_| {
        let (isp, cmd) = (isp.clone(), cmd.clone());
        async move { isp.pay(cmd).await.unwrap().id }
    });
    // One waits for the subscriber, the others for its key, as many as there are connections.
    let mut ids = isp.pile_up(payer, 15, calls).await;
    ids.dedup();
    assert_eq!(ids.len(), 1, "all callers hear of the same payment");
    assert_eq!(isp.payments().await, 1);
    assert_eq!(isp.standing(payer).await.0, "380.00");
    isp.assert_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_payments_at_once_on_one_subscriber_lose_nothing() {
    let isp = Arc::new(isp().await);
    let payer = isp.subscriber().await;
    for days in 1..=8 {
        isp.invoice(payer, "99.99", days).await;
    }
    // 1 + 2 + … + 50 = 1275 come in while 799.92 are due and, meanwhile, 100 more.
    let calls = (1..=50).map(|n: i64| {
        let isp = isp.clone();
        async move {
            isp.pay(cash(payer, &n.to_string())).await.unwrap();
            if n % 10 == 0 {
                isp.invoice(payer, "20", 1).await;
            }
        }
    });
    isp.pile_up(payer, 15, calls).await;
    assert_eq!(isp.payments().await, 50);
    assert_eq!(isp.cash_in_hand().await, "1275");
    assert_eq!(isp.standing(payer).await, ("-375.08".into(), "375.08".into()));
    isp.assert_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_reversals_at_once_one_counts() {
    let isp = Arc::new(isp().await);
    let payer = isp.subscriber().await;
    isp.invoice(payer, "100", 1).await;
    let paid = isp.pay(cash(payer, "160")).await.unwrap();
    let calls = (0..8).map(|_| {
        let isp = isp.clone();
        async move { isp.reverse(paid.id).await }
    });
    let results = isp.pile_up(payer, 8, calls).await;
    let (done, late): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(done.len(), 1);
    for result in late {
        assert_eq!(refused(result), ["INVALID_STATE id"]);
    }
    assert_eq!(isp.cash_in_hand().await, "0");
    isp.assert_books().await;
}

/// The ledger keeps its totals right by itself, also where nobody locked the subscriber.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_adds_up_under_contention() {
    let isp = Arc::new(isp().await);
    let payers = [isp.subscriber().await, isp.subscriber().await];
    let calls = (0..40).map(|n: usize| {
        let isp = isp.clone();
        tokio::spawn(async move {
            // Both subscribers in either order: locks are taken by id, so that nobody waits in a circle.
            let (a, b) = if n.is_multiple_of(2) {
                (payers[0], payers[1])
            } else {
                (payers[1], payers[0])
            };
            let (source, rupee) = (Uuid::now_v7(), Money::new(Decimal::ONE, isp.db.tenant().currency()).unwrap());
            let tax = Account::TaxPayable(format!("TAX{}", n % 3));
            isp.db
                .write(async move |tx| {
                    let entry = Entry {
                        kind: "test",
                        source,
                        booked_on: tx.today(),
                        description: String::new(),
                        transfers: vec![
                            Transfer::new(Account::Receivable(a), tax.clone(), rupee),
                            Transfer::new(Account::Receivable(b), Account::Revenue, -rupee),
                        ],
                    };
                    ledger::post(tx, entry).await
                })
                .await
                .unwrap();
        })
    });
    for done in join_all(calls).await {
        done.unwrap();
    }
    let standing = (isp.standing(payers[0]).await.0, isp.standing(payers[1]).await.0);
    assert_eq!(
        standing,
        ("0.00".into(), "0.00".into()),
        "each was debited and credited 20 times"
    );
    isp.db
        .read(async |tx| {
            assert!(ledger::discrepancies(tx).await?.is_empty());
            let accounts = ledger::totals(tx).await?;
            let moved: Decimal = accounts.iter().map(|a| a.debit).sum();
            assert_eq!(moved, Decimal::from(80));
            assert_eq!(accounts.len(), 6, "two receivables, three taxes, revenue: {accounts:#?}");
            Ok(())
        })
        .await
        .unwrap();
}

/// A source is booked once: the second posting fails and takes its transaction with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_booked_once() {
    let isp = isp().await;
    let source = Uuid::now_v7();
    let rupee = Money::new(Decimal::ONE, isp.db.tenant().currency()).unwrap();
    let post = || async {
        isp.db
            .write(async |tx| {
                let entry = Entry {
                    kind: "test",
                    source,
                    booked_on: tx.today(),
                    description: String::new(),
                    transfers: vec![Transfer::new(Account::Cash("CASH".into()), Account::Revenue, rupee)],
                };
                ledger::post(tx, entry).await
            })
            .await
    };
    post().await.unwrap();
    let again = post().await.expect_err("booked twice");
    assert_eq!(again.constraint(), Some("ledger_entry_kind_source_id_key"));
    assert_eq!(isp.cash_in_hand().await, "1");
}

/// Two hundred steps of invoices, payments and reversals of any earlier payment; the books are right after each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_are_right_after_any_history() {
    let isp = isp().await;
    let payers = [isp.subscriber().await, isp.subscriber().await];
    let mut rng = StdRng::seed_from_u64(20_260_401);
    let (mut paid, mut open) = (Vec::new(), vec![Vec::new(), Vec::new()]);
    let (mut invoices, mut reversals, mut undone) = (0, 0, 0);
    for _ in 0..200 {
        let who = rng.random_range(0..2);
        let amount = Decimal::new(rng.random_range(1..50_000), 2).to_string();
        match rng.random_range(0..10) {
            0..4 => {
                open[who].push(isp.invoice(payers[who], &amount, rng.random_range(0..30)).await);
                invoices += 1;
            }
            4..8 => {
                let mut cmd = cash(payers[who], &amount);
                if rng.random_bool(0.3) {
                    for invoice in open[who].iter().rev().take(2) {
                        if !isp.state(*invoice).await.starts_with("PAID") {
                            cmd.invoice_ids.push(*invoice);
                        }
                    }
                }
                paid.push(isp.pay(cmd).await.unwrap());
            }
            _ if paid.is_empty() => {}
            _ => {
                let payment = paid.swap_remove(rng.random_range(0..paid.len()));
                isp.reverse(payment.id).await.unwrap();
                reversals += 1;
            }
        }
        isp.assert_books().await;
    }
    undone += isp
        .db
        .read(async |tx| {
            tx.sql("SELECT count(*) FROM credit_application WHERE undone_at IS NOT NULL")
                .scalar::<i64>()
                .await
        })
        .await
        .unwrap()
        .unwrap();
    assert!(
        invoices > 50 && paid.len() > 20 && reversals > 20 && undone > 3,
        "{invoices} invoices, {} payments, {reversals} reversals, {undone} credits undone prove little",
        paid.len()
    );
}
