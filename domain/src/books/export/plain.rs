use std::collections::HashSet;
use std::fmt::Write as _;

use super::super::journal::{JournalEntry, JournalPosting};
use super::csv::decimal;
use super::line;
use crate::kernel::ids::LedgerAccountId;
use crate::kernel::money::Currency;

type Known = HashSet<LedgerAccountId>;

pub(super) fn hledger_head(isp: &str, currency: Currency) -> String {
    let (isp, code) = (line(isp), currency.code());
    let sample = format!("1000.{}", "0".repeat(currency.scale() as usize));
    format!("; Journal of {isp}, written by Trunkline\ndecimal-mark .\ncommodity {sample} {code}\n")
}

pub(super) fn beancount_head(isp: &str, currency: Currency) -> String {
    let code = currency.code();
    format!(
        "; Written by Trunkline\noption \"title\" {}\noption \"operating_currency\" \"{code}\"\n1970-01-01 commodity {code}\n",
        quoted(isp)
    )
}

/// A transaction, and before it the accounts that are named for the first time.
pub(super) fn hledger_entry(out: &mut String, entry: &JournalEntry, currency: Currency, known: &mut Known) {
    for posting in first_named(entry, known) {
        let _ = writeln!(out, "\naccount {}{}", posting.account, named(posting));
    }
    if entry.postings.is_empty() {
        return;
    }
    let number = entry.document.as_ref().and_then(|d| d.number.as_deref()).unwrap_or_default();
    // A code ends at its bracket.
    let code = word(number).replace(['(', ')'], " ");
    let payee = payee(entry).map(|name| format!("{} | ", word(name))).unwrap_or_default();
    let (day, text) = (entry.booked_on, format!("{payee}{}", word(&entry.description)));
    // What stands in brackets before the text is the code: an empty one, where the text's own would be taken for it.
    let code = match code.trim() {
        "" if text.starts_with(['(', '!', '*']) => " ()".to_owned(),
        "" => String::new(),
        code => format!(" ({code})"),
    };
    let _ = writeln!(out, "\n{day} *{code} {text}  ; kind:{}, id:{}", entry.kind, entry.id);
    postings(out, entry, currency, "    ");
}

/// As [`hledger_entry`]; an account is opened on the day of its first entry.
pub(super) fn beancount_entry(out: &mut String, entry: &JournalEntry, currency: Currency, known: &mut Known) {
    for posting in first_named(entry, known) {
        let _ = writeln!(out, "\n{} open {} {}", entry.booked_on, posting.account, currency.code());
        if let Some((_, name)) = &posting.subscriber {
            let _ = writeln!(out, "  name: {}", quoted(name));
        }
    }
    if entry.postings.is_empty() {
        return;
    }
    let payee = payee(entry).map(|name| format!("{} ", quoted(name))).unwrap_or_default();
    let _ = writeln!(out, "\n{} * {payee}{}", entry.booked_on, quoted(&entry.description));
    let _ = writeln!(out, "  kind: {}\n  entry: \"{}\"", quoted(&entry.kind), entry.id);
    if let Some(number) = entry.document.as_ref().and_then(|d| d.number.as_deref()) {
        let _ = writeln!(out, "  document: {}", quoted(number));
    }
    postings(out, entry, currency, "  ");
}

fn postings(out: &mut String, entry: &JournalEntry, currency: Currency, indent: &str) {
    for posting in &entry.postings {
        let amount = decimal(posting.amount, currency);
        let _ = writeln!(out, "{indent}{}  {amount} {}", posting.account, currency.code());
    }
}

fn first_named<'e>(entry: &'e JournalEntry, known: &mut Known) -> Vec<&'e JournalPosting> {
    entry.postings.iter().filter(|p| known.insert(p.account_id)).collect()
}

/// The one subscriber whom it is about, if it is one.
fn payee(entry: &JournalEntry) -> Option<&str> {
    let mut all = entry.postings.iter().filter_map(|p| p.subscriber.as_ref());
    let first = all.next()?;
    all.all(|other| other.0 == first.0).then_some(first.1.as_str())
}

/// The name of an account's subscriber, as a comment. A word before a colon would be a tag there: `type:` says what sort of
/// account it is.
fn named(posting: &JournalPosting) -> String {
    let name = posting
        .subscriber
        .as_ref()
        .map(|(_, name)| line(name).replace(':', "\u{a789}"));
    name.map(|name| format!("  ; {name}")).unwrap_or_default()
}

/// A text within a line of hledger's: `;` would begin a comment, and `|` end the payee.
fn word(text: &str) -> String {
    line(text).replace(';', ",").replace('|', "/").trim().to_owned()
}

/// A text of beancount's.
fn quoted(text: &str) -> String {
    format!("\"{}\"", line(text).replace('\\', "\\\\").replace('"', "\\\""))
}
