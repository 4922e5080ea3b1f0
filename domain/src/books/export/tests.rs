use chrono::{DateTime, NaiveDate};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::super::documents::{Document, DocumentKind};
use super::super::journal::JournalPosting;
use super::*;
use crate::kernel::ids::LedgerEntryId;

fn posting(n: u128, account: &str, name: Option<&str>, minor: i64) -> JournalPosting {
    JournalPosting {
        account_id: LedgerAccountId(Uuid::from_u128(n)),
        account: account.to_owned(),
        subscriber: name.map(|name| ("100000018".to_owned(), name.to_owned())),
        amount: Decimal::new(minor, 2),
    }
}

fn entry(name: &str, number: &str) -> JournalEntry {
    JournalEntry {
        id: LedgerEntryId(Uuid::from_u128(7)),
        kind: "invoice".to_owned(),
        booked_on: NaiveDate::from_ymd_opt(2026, 4, 1).expect("a date"),
        created_at: DateTime::from_timestamp(1_775_000_000, 0).expect("an instant"),
        description: "Invoice".to_owned(),
        document: Some(Document {
            kind: DocumentKind::Invoice,
            id: Uuid::from_u128(9),
            number: Some(number.to_owned()),
        }),
        postings: vec![
            posting(1, "Assets:Receivable:100000018", Some(name), 118_000),
            posting(2, "Income:Sales", None, -118_000),
        ],
    }
}

fn text(format: ExportFormat, entries: &[JournalEntry]) -> String {
    let export = Export {
        format,
        from: None,
        to: None,
    };
    let mut scribe = Scribe::new(export, "INR".parse().expect("a currency"));
    let body = scribe.write(entries);
    format!("{}{body}{}", scribe.head("Asha \"Net\"\nLtd"), scribe.tail())
}

#[test]
fn csv_guards_against_formulas_and_quotes_what_needs_it() {
    let csv = text(ExportFormat::Csv, &[entry("=HYPERLINK(\"http://x\",\"y\")", "@INV,1")]);
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(
        rows[1],
        "ledgerentry_00000000000000000000000000000007,2026-04-01,2026-03-31T23:33:20Z,invoice,\"'@INV,1\",Invoice,\
         Assets:Receivable:100000018,100000018,\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\",1180.00,,INR"
    );
    assert!(rows[2].ends_with(",Income:Sales,,,,1180.00,INR"), "{}", rows[2]);
    for hostile in ["+1", "-1", " =1+1", "\t=1", "\r=1", "＝1", "@SUM(A1)"] {
        let csv = text(ExportFormat::Csv, &[entry(hostile, "1")]);
        let shown = hostile.replace(['\t', '\r'], " ");
        assert!(csv.contains(&format!(",\"'{shown}\",")), "{hostile:?}: {csv}");
    }
}

#[test]
fn plain_text_keeps_to_its_lines() {
    let hostile = "x\n2026-01-01 open Assets:Stolen\r; | \"end\\";
    for format in [ExportFormat::Hledger, ExportFormat::Beancount] {
        let calm = text(format, &[entry("x", "1")]);
        let tried = text(format, &[entry(hostile, hostile)]);
        assert_eq!(tried.lines().count(), calm.lines().count(), "{tried}");
    }
    let tried = text(ExportFormat::Hledger, &[entry(hostile, "a) b ; c")]);
    assert!(
        tried.contains("\n2026-04-01 * (a  b , c) x 2026-01-01 open Assets:Stolen , / \"end\\ | Invoice  ; kind:"),
        "{tried}"
    );
    let tried = text(ExportFormat::Beancount, &[entry(hostile, "1")]);
    assert!(
        tried.contains("  name: \"x 2026-01-01 open Assets:Stolen ; | \\\"end\\\\\"\n"),
        "{tried}"
    );
}

#[test]
fn names_are_neither_tags_nor_codes_nor_marks() {
    let tagged = text(ExportFormat::Hledger, &[entry("Guest house type:Deluxe", "1")]);
    assert!(
        tagged.contains("\naccount Assets:Receivable:100000018  ; Guest house type\u{a789}Deluxe\n"),
        "{tagged}"
    );
    for (name, number, expected) in [
        ("(x) Rao", "", "* () (x) Rao | Invoice  ;"),
        ("(Rao", "", "* () (Rao | Invoice  ;"),
        ("! Rao", "", "* () ! Rao | Invoice  ;"),
        ("* Rao", "7", "* (7) * Rao | Invoice  ;"),
        ("Rao (x)", "", "* Rao (x) | Invoice  ;"),
    ] {
        let tried = text(ExportFormat::Hledger, &[entry(name, number)]);
        assert!(tried.contains(expected), "{name:?} {number:?}: {tried}");
    }
}

#[test]
fn accounts_are_named_once() {
    for (format, word) in [(ExportFormat::Hledger, "account "), (ExportFormat::Beancount, " open ")] {
        let twice = text(format, &[entry("Asha", "1"), entry("Asha", "2")]);
        assert_eq!(twice.matches(word).count(), 2, "{twice}");
        assert!(twice.ends_with("\n; end: 2 entries\n"), "{twice}");
    }
}
