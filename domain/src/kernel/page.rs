//! Keyset pages: a cursor names the last row seen, so pages stay right while rows come and go.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Error, Result};

/// The largest page anyone gets.
pub const MAX_PAGE: u32 = 100;

/// "The first N after this row", validated. `K` is the sort key of the list, made of the columns it is ordered by.
#[derive(Clone, Debug)]
pub struct PageRequest<K> {
    pub first: u32,
    pub after: Option<K>,
}

impl<K: DeserializeOwned> PageRequest<K> {
    /// `after` is an `endCursor` of an earlier page of the same list.
    pub fn new(first: i32, after: Option<&str>) -> Result<Self> {
        let first = u32::try_from(first)
            .ok()
            .filter(|n| *n <= MAX_PAGE)
            .ok_or_else(|| Error::invalid("first", format!("`first` must be 0 to {MAX_PAGE}.")))?;
        let after = after
            .map(|c| decode(c).ok_or_else(|| Error::invalid("after", "`after` is not a cursor of this list.")))
            .transpose()?;
        Ok(Self { first, after })
    }

    /// How many rows to ask for: one more than is shown tells whether there is a next page.
    pub fn limit(&self) -> u64 {
        u64::from(self.first) + 1
    }
}

/// One page, with whether another follows.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub has_next: bool,
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// From rows fetched with [`PageRequest::limit`].
    pub fn from_rows<K>(request: &PageRequest<K>, mut rows: Vec<T>) -> Self {
        let has_next = rows.len() > request.first as usize;
        rows.truncate(request.first as usize);
        Self {
            items: rows,
            has_next,
            has_previous: request.after.is_some(),
        }
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }
}

/// The cursor that names a row by its sort key.
pub fn cursor<K: Serialize>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

fn decode<K: DeserializeOwned>(text: &str) -> Option<K> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let foreign = cursor(&("name", 3));
        assert!(PageRequest::<(i64, String)>::new(10, Some(&foreign)).is_err());
        assert!(PageRequest::<(String, i64)>::new(10, Some(&foreign)).is_ok());
    }

    #[test]
    fn page_sizes_have_limits() {
        for first in [-1, 101, i32::MAX] {
            assert!(PageRequest::<i32>::new(first, None).is_err());
        }
        let page = Page::from_rows(&PageRequest::<i32>::new(2, None).unwrap(), vec![1, 2, 3]);
        assert!(page.has_next && page.items == [1, 2]);
    }
}
