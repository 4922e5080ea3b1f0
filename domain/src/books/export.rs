//! The journal as text for other programs: CSV (RFC 4180), hledger and beancount. Pure: pages of entries go in, text comes out,
//! and what has to be remembered between pages are the accounts that have been named.
//!
//! hledger's text and beancount's are not one another's: beancount wants accounts opened on a day and quotes its texts, hledger
//! takes neither.

mod csv;
mod plain;

use std::collections::HashSet;

use chrono::NaiveDate;
use serde::Serialize;

use super::journal::{JournalEntry, Position};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::LedgerAccountId;
use crate::kernel::money::Currency;
use crate::kernel::text_enum;

text_enum! {
    /// Who is to read the journal.
    ExportFormat { Csv, Hledger, Beancount }
}

/// Which days of the journal, for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    pub format: ExportFormat,
    /// First and last day; None: from the beginning, to the end.
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}

impl Export {
    pub fn check(&self) -> Result<()> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from > to => Err(Error::invalid("from", "`from` must not be after `to`.")),
            _ => Ok(()),
        }
    }
}

/// Writes a journal down, a page at a time.
pub struct Scribe {
    export: Export,
    currency: Currency,
    known: HashSet<LedgerAccountId>,
    entries: u64,
    after: Option<Position>,
}

impl Scribe {
    pub fn new(export: Export, currency: Currency) -> Self {
        Self {
            export,
            currency,
            known: HashSet::new(),
            entries: 0,
            after: None,
        }
    }

    /// What stands above the first entry. `isp` is whose books they are.
    pub fn head(&self, isp: &str) -> String {
        match self.export.format {
            ExportFormat::Csv => csv::HEAD.to_owned(),
            ExportFormat::Hledger => plain::hledger_head(isp, self.currency),
            ExportFormat::Beancount => plain::beancount_head(isp, self.currency),
        }
    }

    /// The next entries' text.
    pub fn write(&mut self, entries: &[JournalEntry]) -> String {
        let mut out = String::with_capacity(entries.len() * 256);
        for entry in entries {
            match self.export.format {
                ExportFormat::Csv => csv::entry(&mut out, entry, self.currency),
                ExportFormat::Hledger => plain::hledger_entry(&mut out, entry, self.currency, &mut self.known),
                ExportFormat::Beancount => plain::beancount_entry(&mut out, entry, self.currency, &mut self.known),
            }
            self.entries += 1;
            self.after = Some((entry.booked_on, entry.id));
        }
        out
    }

    /// Behind which entry the next page begins.
    pub fn after(&self) -> Option<Position> {
        self.after
    }

    /// What stands below the last entry: a text without it was cut off. CSV has no place for it.
    pub fn tail(&self) -> String {
        match self.export.format {
            ExportFormat::Csv => String::new(),
            ExportFormat::Hledger | ExportFormat::Beancount => format!("\n; end: {} entries\n", self.entries),
        }
    }
}

/// On one line, without what could end it or hide in it: control characters and Unicode's line ends become blanks.
fn line(text: &str) -> String {
    let blank = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    text.chars().map(|c| if blank(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
