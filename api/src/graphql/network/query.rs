use async_graphql::{Context, ID, Object};
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::network::{self, NasKey};

use super::types::{Nas, NasConnection};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::{ids, page};

#[derive(Default)]
pub struct NetworkQuery;

#[Object]
impl NetworkQuery {
    /// The ISP's routers, oldest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn nas_devices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<NasConnection>> {
        let request = PageRequest::<NasKey>::new(first, after.as_deref())?;
        let wants_total = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = network::list(tx, request.clone()).await?;
                let total = if wants_total { Some(network::count(tx).await?) } else { None };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(NasConnection::of(ctx, rows, total, |nas| (nas.id,))))
    }
}

/// A NAS by a global id, for `node`.
pub async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Nas>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq.read(async move |tx| network::find(tx, id).await).await?.map(Nas))
}
