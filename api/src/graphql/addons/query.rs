use async_graphql::{Context, ID, Object};
use trunkline_domain::addons;
use trunkline_domain::kernel::page::PageRequest;

use super::types::{Addon, AddonConnection};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct AddonsQuery;

#[Object]
impl AddonsQuery {
    /// An add-on by its id.
    async fn addon(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> ApiResult<Option<Addon>> {
        find(ctx.rq(), &id).await
    }

    /// The add-ons, oldest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn addons(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(default = false, desc = "Also those that are no longer sold.")] include_retired: bool,
    ) -> ApiResult<Option<AddonConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let total = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = addons::list(tx, request.clone(), include_retired).await?;
                let total = match total {
                    true => Some(addons::count(tx, include_retired).await?),
                    false => None,
                };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(AddonConnection::of(ctx, rows, total, |a| (a.created_at, a.id))))
    }
}

/// An add-on by a global id, for `addon` and `node`.
pub async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Addon>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq.read(async move |tx| addons::find(tx, id).await).await?.map(Addon))
}
