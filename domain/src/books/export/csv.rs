use std::fmt::Write as _;

use chrono::SecondsFormat;
use rust_decimal::Decimal;

use super::super::journal::JournalEntry;
use super::line;
use crate::kernel::money::Currency;

pub(super) const HEAD: &str = "entry,booked_on,created_at,kind,document,description,account,subscriber_account_number,\
                               subscriber_name,debit,credit,currency\r\n";

/// A row for each account that the entry moved.
pub(super) fn entry(out: &mut String, entry: &JournalEntry, currency: Currency) {
    let document = entry.document.as_ref().and_then(|d| d.number.as_deref()).unwrap_or_default();
    for posting in &entry.postings {
        let (number, name) = posting.subscriber.as_ref().map_or(("", ""), |(number, name)| (number, name));
        let side = |amount: Decimal| match amount > Decimal::ZERO {
            true => decimal(amount, currency),
            false => String::new(),
        };
        let created_at = entry.created_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        // What people wrote is guarded; the rest is ours.
        let _ = write!(
            out,
            "{},{},{created_at},{},{},{},{},{number},{},{},{},{}\r\n",
            entry.id,
            entry.booked_on,
            entry.kind,
            cell(document),
            cell(&entry.description),
            posting.account,
            cell(name),
            side(posting.amount),
            side(-posting.amount),
            currency.code(),
        );
    }
}

/// At the currency's scale.
pub(super) fn decimal(amount: Decimal, currency: Currency) -> String {
    let mut amount = amount;
    amount.rescale(currency.scale());
    amount.to_string()
}

/// A cell with a text that somebody wrote. One that a spreadsheet would take for a formula gets an apostrophe in front of it
/// (OWASP, CSV injection); what looks like a sign in other scripts counts too.
fn cell(text: &str) -> String {
    let text = line(text);
    let formula = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let guard = if formula { "'" } else { "" };
    if formula || text.contains(['"', ',', ';']) {
        return format!("\"{guard}{}\"", text.replace('"', "\"\""));
    }
    text
}
