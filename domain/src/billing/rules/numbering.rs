//! Document numbers: patterns, the rule a country sets for them, and the year in which they start anew.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberingError {
    #[error("{0:?} is not a placeholder; there are {{FY}}, {{YYYY}}, {{REG}} and {{SEQ:n}}, n from 1 to 9")]
    Placeholder(String),
    #[error("the pattern needs exactly one {{SEQ:n}}")]
    Sequence,
    #[error("the pattern needs {{FY}} or {{YYYY}}: numbering starts anew each year and numbers would repeat")]
    Year,
    #[error("the pattern needs {{REG}}: there is more than one registration")]
    Registration,
    #[error("{0:?} is not allowed in a number")]
    Character(char),
    #[error("a number may not begin with {0:?}")]
    First(char),
    #[error("number {sequence} would be {example:?}, longer than {max} characters")]
    TooLong { sequence: u64, example: String, max: usize },
    #[error("{0} is no month")]
    Month(u8),
}

/// What a country demands of document numbers, as its template says. ASCII letters and digits are always allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberRule {
    pub max_length: usize,
    /// What may stand beside letters and digits.
    pub symbols: String,
    /// What may not stand first.
    pub not_first: String,
    /// The number of documents in a year that a pattern must have room for.
    pub room_for: u64,
}

/// The month in which numbering starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct StartMonth(u8);

impl TryFrom<u8> for StartMonth {
    type Error = NumberingError;

    fn try_from(month: u8) -> Result<Self, NumberingError> {
        if (1..=12).contains(&month) {
            return Ok(Self(month));
        }
        Err(NumberingError::Month(month))
    }
}

impl From<StartMonth> for u8 {
    fn from(month: StartMonth) -> Self {
        month.0
    }
}

/// The fiscal year of a document: numbers are unique within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FiscalYear {
    starts_in: i32,
    is_calendar_year: bool,
}

impl FiscalYear {
    /// The fiscal year in which that date lies.
    pub fn of(date: NaiveDate, start: StartMonth) -> Self {
        let not_yet = date.month() < u32::from(start.0);
        Self {
            starts_in: date.year() - i32::from(not_yet),
            is_calendar_year: start.0 == 1,
        }
    }

    /// The calendar year in which it starts: {YYYY}. Not the document's own calendar year, which two fiscal
    /// years share.
    pub fn starts_in(self) -> i32 {
        self.starts_in
    }

    fn next(self) -> Self {
        Self {
            starts_in: self.starts_in + 1,
            ..self
        }
    }

    /// {FY}: "26-27", or "26" where it is the calendar year.
    pub fn label(self) -> String {
        let short = |year: i32| year.rem_euclid(100);
        if self.is_calendar_year {
            return format!("{:02}", short(self.starts_in));
        }
        format!("{:02}-{:02}", short(self.starts_in), short(self.starts_in + 1))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    FiscalYear,
    Year,
    Registration,
    Sequence(usize),
}

impl Part {
    fn text(&self, year: FiscalYear, registration: &str, counted: impl Fn(usize) -> String) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::FiscalYear => year.label(),
            Self::Year => format!("{:04}", year.starts_in),
            Self::Registration => registration.to_owned(),
            Self::Sequence(width) => counted(*width),
        }
    }
}

/// A parsed pattern, e.g. "INV/{FY}/{SEQ:6}": one sequence and the year it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPattern(Vec<Part>);

impl FromStr for NumberPattern {
    type Err = NumberingError;

    fn from_str(text: &str) -> Result<Self, NumberingError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            push_literal(&mut parts, literal)?;
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| NumberingError::Placeholder(after.to_owned()))?;
            parts.push(placeholder(name)?);
            rest = after;
        }
        push_literal(&mut parts, rest)?;
        let sequences = parts.iter().filter(|part| matches!(part, Part::Sequence(_)));
        if sequences.count() != 1 {
            return Err(NumberingError::Sequence);
        }
        if !parts.iter().any(|part| matches!(part, Part::FiscalYear | Part::Year)) {
            return Err(NumberingError::Year);
        }
        Ok(Self(parts))
    }
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) -> Result<(), NumberingError> {
    if literal.contains('}') {
        return Err(NumberingError::Character('}'));
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
    Ok(())
}

fn placeholder(name: &str) -> Result<Part, NumberingError> {
    match name {
        "FY" => Ok(Part::FiscalYear),
        "YYYY" => Ok(Part::Year),
        "REG" => Ok(Part::Registration),
        _ => (name.strip_prefix("SEQ:"))
            .filter(|width| width.len() == 1)
            .and_then(|width| width.parse().ok())
            .filter(|width| *width > 0)
            .map(Part::Sequence)
            .ok_or_else(|| NumberingError::Placeholder(format!("{{{name}}}"))),
    }
}

impl NumberPattern {
    /// Whether numbers name the registration under which the document is issued.
    pub fn names_registration(&self) -> bool {
        self.0.contains(&Part::Registration)
    }

    /// The number of a document. `registration` is its short code, used where the pattern asks for it.
    pub fn render(&self, sequence: u64, year: FiscalYear, registration: &str) -> String {
        let counted = |width: usize| format!("{sequence:0width$}");
        self.0.iter().map(|part| part.text(year, registration, counted)).collect()
    }

    /// What stands before and after the sequence.
    pub fn around(&self, year: FiscalYear, registration: &str) -> (String, String) {
        let at = (self.0.iter().position(|part| matches!(part, Part::Sequence(_)))).unwrap_or(self.0.len());
        let text = |parts: &[Part]| {
            parts
                .iter()
                .map(|part| part.text(year, registration, |_| String::new()))
                .collect()
        };
        (text(&self.0[..at]), text(&self.0[at..]))
    }

    /// Whether some number of this pattern could be one of the other's, in this year or the next, under any of those short codes:
    /// what stands around their sequences is the same, or differs by digits that a sequence could have as well.
    pub fn meets(&self, other: &Self, year: FiscalYear, registrations: &[&str]) -> bool {
        let all = |pattern: &Self| -> BTreeSet<(String, String)> {
            let years = [year, year.next()];
            let codes = if pattern.names_registration() { registrations } else { &[""] };
            let around = years
                .iter()
                .flat_map(|year| codes.iter().map(|code| pattern.around(*year, code)));
            // Authorities' portals take no notice of case.
            around
                .map(|(before, after)| (before.to_uppercase(), after.to_uppercase()))
                .collect()
        };
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let same_but_digits = |rest: Option<&str>, other_rest: Option<&str>| rest.or(other_rest).is_some_and(digits);
        let (own, others) = (all(self), all(other));
        own.iter().any(|(before, after)| {
            others.iter().any(|(b, a)| {
                same_but_digits(before.strip_prefix(b.as_str()), b.strip_prefix(before.as_str()))
                    && same_but_digits(after.strip_suffix(a.as_str()), a.strip_suffix(after.as_str()))
            })
        })
    }

    /// Checks the numbers to come against the country's rule: characters, beginning, and length up to the last
    /// number there must be room for, under each registration. `registrations` are the short codes; of who has none, what stands
    /// for that.
    pub fn check(&self, rule: &NumberRule, start: StartMonth, registrations: &[&str]) -> Result<(), NumberingError> {
        if registrations.len() > 1 && !self.names_registration() {
            return Err(NumberingError::Registration);
        }
        let year = FiscalYear {
            starts_in: 2026,
            is_calendar_year: start.0 == 1,
        };
        let codes = if registrations.is_empty() { &[""] } else { registrations };
        for code in codes {
            rule.check(&self.render(1, year, code), 1)?;
            rule.check(&self.render(rule.room_for, year, code), rule.room_for)?;
        }
        Ok(())
    }
}

impl NumberRule {
    fn check(&self, number: &str, sequence: u64) -> Result<(), NumberingError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || self.symbols.contains(c);
        if let Some(c) = number.chars().find(|c| !allowed(*c)) {
            return Err(NumberingError::Character(c));
        }
        if let Some(c) = number.chars().next().filter(|c| self.not_first.contains(*c)) {
            return Err(NumberingError::First(c));
        }
        if number.chars().count() > self.max_length {
            return Err(NumberingError::TooLong {
                sequence,
                example: number.to_owned(),
                max: self.max_length,
            });
        }
        Ok(())
    }
}

impl fmt::Display for NumberPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(text),
            Part::FiscalYear => f.write_str("{FY}"),
            Part::Year => f.write_str("{YYYY}"),
            Part::Registration => f.write_str("{REG}"),
            Part::Sequence(width) => write!(f, "{{SEQ:{width}}}"),
        })
    }
}

impl Serialize for NumberPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NumberPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[path = "numbering_tests.rs"]
mod tests;
