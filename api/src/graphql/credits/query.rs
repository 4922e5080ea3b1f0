use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, ID, Object};
use trunkline_domain::credits;
use trunkline_domain::kernel::ids::SubscriberId;

use super::types::{Deposit, Refund};
use crate::graphql::ctx::{CtxExt, Lookup};
use crate::graphql::error::{ApiError, ApiResult};
use crate::graphql::ids;

#[derive(Default)]
pub struct CreditsQuery;

#[Object]
impl CreditsQuery {
    /// A refund by its id.
    async fn refund(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Refund>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        let found = ctx.rq().read(async move |tx| credits::find_refund(tx, id).await).await?;
        Ok(found.map(Refund))
    }

    /// A deposit by its id.
    async fn deposit(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Deposit>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        let found = ctx.rq().read(async move |tx| credits::find_deposit(tx, id).await).await?;
        Ok(found.map(Deposit))
    }
}

/// What was paid back to a subscriber, for `Subscriber.refunds`.
pub async fn refunds_of(ctx: &Context<'_>, subscriber: SubscriberId) -> ApiResult<Vec<Refund>> {
    let found = ctx.rq().loader().load_one(RefundsOf(subscriber)).await?.unwrap_or_default();
    Ok(found.into_iter().map(Refund).collect())
}

/// What is held for a subscriber, for `Subscriber.deposits`.
pub async fn deposits_of(ctx: &Context<'_>, subscriber: SubscriberId) -> ApiResult<Vec<Deposit>> {
    let found = ctx.rq().loader().load_one(DepositsOf(subscriber)).await?.unwrap_or_default();
    Ok(found.into_iter().map(Deposit).collect())
}

/// Loads a subscriber's refunds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RefundsOf(pub SubscriberId);

impl Loader<RefundsOf> for Lookup {
    type Value = Vec<credits::Refund>;
    type Error = ApiError;

    async fn load(&self, keys: &[RefundsOf]) -> ApiResult<HashMap<RefundsOf, Self::Value>> {
        let ids: Vec<SubscriberId> = keys.iter().map(|k| k.0).collect();
        let rows = self.0.read(async move |tx| credits::refunds_of(tx, &ids).await).await?;
        let mut all: HashMap<RefundsOf, Self::Value> = HashMap::new();
        for row in rows {
            all.entry(RefundsOf(row.subscriber_id)).or_default().push(row);
        }
        Ok(all)
    }
}

/// Loads a subscriber's deposits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DepositsOf(pub SubscriberId);

impl Loader<DepositsOf> for Lookup {
    type Value = Vec<credits::Deposit>;
    type Error = ApiError;

    async fn load(&self, keys: &[DepositsOf]) -> ApiResult<HashMap<DepositsOf, Self::Value>> {
        let ids: Vec<SubscriberId> = keys.iter().map(|k| k.0).collect();
        let rows = self.0.read(async move |tx| credits::deposits_of(tx, &ids).await).await?;
        let mut all: HashMap<DepositsOf, Self::Value> = HashMap::new();
        for row in rows {
            all.entry(DepositsOf(row.subscriber_id)).or_default().push(row);
        }
        Ok(all)
    }
}
