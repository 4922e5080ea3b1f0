//! What a request costs, known before it is executed. A field costs 1, a list 10 and its page size times what is
//! asked of one node, a field of `Query` or `Mutation` what stands in [`of_query`] and [`of_mutation`] besides, introspection a hundredth of the values it answers with. async-graphql adds
//! the fields up over the validated document, variables put in and fragments spread.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::{Name, ServerError, ValidationResult, Value};

use super::document::{Size, refusal, too_complex};
use crate::limits::{Denied, Left, Purse};

/// What one document may cost.
pub const MAX_COST: usize = 30_000;
/// Far beyond any limit, and far from overflowing when fields are added up.
pub const CAP: usize = 1_000_000_000;

/// Cost of a field of `Query` beside what it answers with: a statement of its own.
pub fn of_query(name: &str) -> usize {
    match name.starts_with("__") {
        true => 0,
        false => 25,
    }
}

/// Cost of a mutation beside the fields it answers with: a transaction of its own; of some, a hash of a password or a schema.
pub fn of_mutation(name: &str) -> usize {
    match name {
        "__typename" => 0,
        "tenantCreate" => 5_000,
        _ if name.starts_with("session") || name.starts_with("subscriberSession") => 200,
        _ if name.contains("assword") || name.starts_with("staff") || name.starts_with("director") => 200,
        _ => 50,
    }
}

/// The bill of one request.
pub struct Bill {
    size: Size,
    purse: Purse,
    paid: OnceLock<Paid>,
}

#[derive(Clone, Copy)]
struct Paid {
    requested: usize,
    left: Option<Left>,
    wait: Option<Duration>,
}

impl Bill {
    pub fn new(size: Size, purse: Purse) -> Arc<Self> {
        Arc::new(Self {
            size,
            purse,
            paid: OnceLock::new(),
        })
    }

    /// Whether the document passed validation and was paid for.
    pub fn settled(&self) -> bool {
        self.paid.get().is_some_and(|p| p.wait.is_none())
    }

    /// How long to wait, when the caller had spent too much.
    pub fn wait(&self) -> Option<Duration> {
        self.paid.get()?.wait
    }

    /// For `extensions.cost`.
    pub fn report(&self) -> Option<Value> {
        let paid = self.paid.get()?;
        let number = |n: usize| Value::from(u64::try_from(n).unwrap_or(u64::MAX));
        let or_null = |n: Option<u32>| n.map_or(Value::Null, Value::from);
        let entries = [
            ("requested", number(paid.requested)),
            ("maximum", number(MAX_COST)),
            ("limit", or_null(paid.left.map(|l| l.limit))),
            ("remaining", or_null(paid.left.map(|l| l.remaining))),
        ];
        Some(Value::Object(entries.into_iter().map(|(k, v)| (Name::new(k), v)).collect()))
    }

    fn pay(&self, fields: usize) -> Result<(), ServerError> {
        let introspection = usize::try_from(self.size.introspection / 100).unwrap_or(CAP);
        let requested = fields.saturating_add(self.size.roots).saturating_add(introspection).max(1);
        if requested > MAX_COST {
            return Err(too_complex(format!(
                "The document costs {requested}; at most {MAX_COST} is served at once. Ask for smaller pages or fewer fields."
            )));
        }
        let (left, denied) = match self.purse.spend(requested) {
            Ok(left) => (left, None),
            Err(Denied::Never) => {
                return Err(too_complex("The document costs more than you may spend in a second."));
            }
            Err(Denied::For(wait)) => (self.purse.nothing_left(), Some(wait)),
        };
        let _ = self.paid.set(Paid {
            requested,
            left,
            wait: denied,
        });
        if denied.is_some() {
            metrics::counter!("trunkline_rate_limited_total", "bucket" => "cost").increment(1);
        }
        denied.map_or(Ok(()), |wait| Err(rate_limited(wait)))
    }
}

/// Refused until the bucket has filled again.
pub fn rate_limited(wait: Duration) -> ServerError {
    let mut error = refusal("RATE_LIMITED", "Too much was asked for; wait before you ask again.");
    if let Some(extensions) = error.extensions.as_mut() {
        extensions.set("retryAfter", seconds(wait));
    }
    error
}

/// Whole seconds, at least one.
pub fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).clamp(1, 3_600) as u64
}

/// Presents the bill between validation and execution.
pub struct Costs;

impl ExtensionFactory for Costs {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for Costs {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        if let Some(bill) = ctx.data_opt::<Arc<Bill>>() {
            bill.pay(result.complexity).map_err(|e| vec![e])?;
        }
        Ok(result)
    }
}
