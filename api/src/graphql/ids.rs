//! Ids as callers write them.

use async_graphql::ID;
use trunkline_domain::Error;
use trunkline_domain::kernel::ids::{GlobalId, kind_of};

use super::error::ApiResult;

pub fn out(id: impl GlobalId) -> ID {
    ID(id.to_string())
}

/// An id in a query: None when it is of another kind, which no object has; an error when it is no id at all.
pub fn query<T: GlobalId>(id: &ID) -> ApiResult<Option<T>> {
    match id.parse::<T>() {
        Ok(id) => Ok(Some(id)),
        Err(_) if kind_of(id).is_some_and(|k| k != T::KIND) => Ok(None),
        Err(_) => Err(Error::invalid("id", "Malformed id.").into()),
    }
}

/// An id in a mutation's input: NOT_FOUND when it is of another kind, INVALID when it is no id at all.
pub fn input<T: GlobalId>(id: &ID, field: &str) -> Result<T, Error> {
    id.parse::<T>().map_err(|_| match kind_of(id) {
        Some(kind) if kind != T::KIND => Error::not_found(field),
        _ => Error::invalid(field, "Malformed id."),
    })
}
