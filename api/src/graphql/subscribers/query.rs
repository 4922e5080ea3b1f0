use async_graphql::{Context, ID, Object};
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::subscribers::{self, SubscriberKey};

use super::ahead::{self, Wanted};
use super::types::{Subscriber, SubscriberConnection, SubscriberFilter, SubscriberOrder};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct SubscribersQuery;

#[Object]
impl SubscribersQuery {
    /// A subscriber by its id. A subscriber's portal login sees itself only.
    async fn subscriber(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Subscriber>> {
        let Some(id) = ids::query(&id)? else { return Ok(None) };
        let wanted = Wanted::of_this(ctx);
        let found = ctx.rq().read(async move |tx| {
            let one: Vec<_> = subscribers::find(tx, id).await?.into_iter().collect();
            ahead::load_all(tx, one, wanted).await
        });
        Ok(found.await?.pop())
    }

    /// The subscribers, oldest first unless `orderBy` says otherwise; for staff.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn subscribers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(desc = "Which subscribers; all when absent.")] filter: Option<SubscriberFilter>,
        #[graphql(desc = "The list's order; oldest first when absent.")] order_by: Option<SubscriberOrder>,
    ) -> ApiResult<Option<SubscriberConnection>> {
        let request = PageRequest::<SubscriberKey>::new(first, after.as_deref())?;
        let filter = filter.unwrap_or_default().filter()?;
        let order: subscribers::SubscriberOrder = order_by.map(Into::into).unwrap_or_default();
        let wants_total = page::wants_total(ctx);
        let wanted = Wanted::of_nodes(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = subscribers::list(tx, request.clone(), &filter, order).await?;
                let rows = ahead::load(tx, rows, wanted).await?;
                let total = if wants_total {
                    Some(subscribers::count(tx, &filter).await?)
                } else {
                    None
                };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(SubscriberConnection::of(ctx, rows, total, |s| {
            SubscriberKey::of(&s.row, order.by)
        })))
    }
}

/// A subscriber by a global id, for `node`.
pub async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Subscriber>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq
        .read(async move |tx| subscribers::find(tx, id).await)
        .await?
        .map(Subscriber::from))
}
