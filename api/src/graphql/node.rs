use async_graphql::{Context, ID, Interface, Object};
use trunkline_domain::kernel::ids::{GlobalId, PlanId, kind_of};

use super::ctx::CtxExt;
use super::error::ApiResult;
use super::ids;
use super::plans::Plan;

/// Anything that has an id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"))]
pub enum Node {
    Plan(Plan),
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its id; null when there is none that you may see.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Node>> {
        match kind_of(&id) {
            Some(PlanId::KIND) => Ok(plan(ctx, &id).await?.map(Node::Plan)),
            _ => ids::query::<PlanId>(&id).map(|_| None),
        }
    }
}

async fn plan(ctx: &Context<'_>, id: &ID) -> ApiResult<Option<Plan>> {
    super::plans::find(ctx.rq(), id).await
}
