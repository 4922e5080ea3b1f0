//! A field of an update: left as it is, set, or cleared.

use serde::Serialize;

use super::check::Checks;
use super::error::ErrorCode;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Patch<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// For a field that may be empty.
    pub fn or(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Clear => None,
            Self::Set(new) => Some(new),
        }
    }

    /// For a field that may not be empty: clearing it is REQUIRED.
    pub fn required(self, old: T, field: &str, checks: &mut Checks) -> T {
        match self {
            Self::Keep => old,
            Self::Set(new) => new,
            Self::Clear => {
                checks.add(ErrorCode::Required, field, "Cannot be cleared.");
                old
            }
        }
    }

    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(v) => Patch::Set(f(v)),
        }
    }
}
