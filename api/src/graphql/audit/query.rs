use async_graphql::{Context, Object};
use trunkline_domain::audit;
use trunkline_domain::kernel::page::PageRequest;

use super::types::{AuditEntryConnection, AuditFilter};
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;
use crate::graphql::page;

#[derive(Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// What was done here, by whom and when, the latest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn audit_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(desc = "Which ones; all when absent.")] filter: Option<AuditFilter>,
    ) -> ApiResult<Option<AuditEntryConnection>> {
        let request = PageRequest::new(first, after.as_deref())?;
        let filter = filter.map(AuditFilter::read).transpose()?.unwrap_or_default();
        let total = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = audit::list(tx, request.clone(), &filter).await?;
                let total = if total { Some(audit::count(tx, &filter).await?) } else { None };
                Ok((rows, total))
            })
            .await?;
        Ok(Some(AuditEntryConnection::of(ctx, rows, total, |e| e.id)))
    }
}
