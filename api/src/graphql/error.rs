//! How a domain error reaches the caller: as a `userErrors` entry of a payload, or as a top-level error with a code.
//!
//! Resolvers return [`ApiError`], which has no `Display`: async-graphql shows anything that has one to the client.

use std::sync::Arc;

use async_graphql::{Enum, ErrorExtensionValues, SimpleObject};
use trunkline_domain::Error;
use trunkline_domain::kernel;

pub type ApiResult<T> = Result<T, ApiError>;

/// Clones share the error: several fields may wait for one load.
#[derive(Clone)]
pub struct ApiError(Arc<Error>);

impl ApiError {
    pub fn is_forbidden(&self) -> bool {
        matches!(*self.0, Error::Forbidden)
    }
}

impl From<Error> for ApiError {
    fn from(e: Error) -> Self {
        Self(Arc::new(e))
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(ApiError(e): ApiError) -> Self {
        let (code, message) = match &*e {
            Error::User(all) => (
                "BAD_ARGUMENT",
                all.iter().map(|u| u.message.as_str()).collect::<Vec<_>>().join(" "),
            ),
            Error::Forbidden => ("FORBIDDEN", "You are not allowed to do this.".into()),
            Error::Unauthenticated => ("UNAUTHENTICATED", "Sign in first.".into()),
            Error::TenantSuspended => ("TENANT_SUSPENDED", "This provider is suspended.".into()),
            Error::Unavailable(why) => {
                tracing::warn!(%why, "unavailable");
                ("UNAVAILABLE", "The service is not available right now; try again.".into())
            }
            Error::Internal(_) => {
                tracing::error!(error = e.summary(), "internal error");
                ("INTERNAL", "Something went wrong on our side.".into())
            }
        };
        let mut out = Self::new(message);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code);
        out.extensions = Some(extensions);
        out
    }
}

/// The contract's `UserErrorCode`.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "UserErrorCode", remote = "kernel::ErrorCode")]
pub enum UserErrorCode {
    /// The value is not one that can be taken.
    Invalid,
    /// It has to be given.
    Required,
    /// There is none with this id that you may see.
    NotFound,
    /// Somebody else has it.
    Taken,
    /// It contradicts something else.
    Conflict,
    /// It was changed since you saw it: read it again.
    StaleVersion,
    /// It is not in a state in which this can be done.
    InvalidState,
    /// The key was used with another input: use a new one.
    IdempotencyKeyReused,
    /// More than is allowed.
    LimitExceeded,
    /// There is not enough money for it.
    InsufficientFunds,
    /// Nobody can be signed in with this.
    InvalidCredentials,
    /// A code of the second factor is needed too.
    TotpRequired,
    /// The payment provider said no.
    GatewayRefused,
    /// The router did not answer.
    NetworkUnreachable,
}

/// A refusal that tells the caller what to mend.
#[derive(SimpleObject, Clone)]
pub struct UserError {
    /// Path into `input`, outermost first; null when the whole input is at fault.
    pub field: Option<Vec<String>>,
    /// What sort of refusal it is; programs go by it.
    pub code: UserErrorCode,
    /// What to do about it, for people.
    pub message: String,
}

impl From<kernel::UserError> for UserError {
    fn from(e: kernel::UserError) -> Self {
        let field = (!e.field.is_empty()).then_some(e.field);
        Self {
            field,
            code: e.code.into(),
            message: e.message,
        }
    }
}

/// Splits a use case's result: refusals go into the payload, everything else to the top level.
pub fn settle<T>(result: Result<T, Error>) -> ApiResult<(Option<T>, Vec<UserError>)> {
    match result {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(Error::User(errors)) => {
            for e in &errors {
                metrics::counter!("trunkline_graphql_refusals_total", "code" => e.code.to_string()).increment(1);
            }
            Ok((None, errors.into_iter().map(Into::into).collect()))
        }
        Err(other) => Err(other.into()),
    }
}

/// Declares a mutation's payload with one object: `payload!(PlanCreatePayload { plan: Plan });`
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $field:ident : $ty:ty }) => {
        $(#[$doc])*
        /// What became of the request: the object, or why not.
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            /// As it is now; null when refused.
            pub $field: Option<$ty>,
            /// Business refusals; empty when it was done.
            pub user_errors: Vec<$crate::graphql::error::UserError>,
        }

        impl $name {
            /// From a use case's result.
            pub fn of<T>(result: trunkline_domain::Result<T>) -> $crate::graphql::error::ApiResult<Self>
            where
                $ty: From<T>,
            {
                let (value, user_errors) = $crate::graphql::error::settle(result)?;
                Ok(Self { $field: value.map(<$ty>::from), user_errors })
            }
        }
    };
}
pub(crate) use payload;
