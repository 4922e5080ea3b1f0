use async_graphql::{Context, ID, Object};
use trunkline_domain::kernel::ids::SubscriberId;
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::services;

use super::types::{Service, ServiceConnection};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct ServicesQuery;

#[Object]
impl ServicesQuery {
    /// A service by its id.
    async fn service(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Service>> {
        find(ctx.rq(), &id).await
    }
}

/// A service by a global id, for `service` and `node`.
pub async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Service>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq.read(async move |tx| services::find(tx, id).await).await?.map(Service))
}

/// A page of a subscriber's services, for `Subscriber.services`.
pub async fn of_subscriber(
    ctx: &Context<'_>,
    subscriber: SubscriberId,
    first: i32,
    after: Option<&str>,
) -> ApiResult<ServiceConnection> {
    let request = PageRequest::new(first, after)?;
    let total = page::wants_total(ctx);
    let (rows, total) = ctx
        .rq()
        .read(async move |tx| {
            let rows = services::for_subscriber(tx, subscriber, request.clone()).await?;
            let total = match total {
                true => Some(services::count_for_subscriber(tx, subscriber).await?),
                false => None,
            };
            Ok((rows, total))
        })
        .await?;
    Ok(ServiceConnection::of(ctx, rows, total, |s| s.id))
}
