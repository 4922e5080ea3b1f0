use async_graphql::{Context, ID, Object};
use trunkline_domain::kernel::db::PlatformTx;
use trunkline_domain::kernel::ids::{DomainId, TenantId};
use trunkline_domain::tenants::{self, TenantDetails};
use trunkline_domain::{Result, runs};

use super::types::{
    DirectorCreateInput, DirectorCreatePayload, DomainAddInput, DomainAddPayload, DomainRemoveInput, DomainRemovePayload,
    DomainVerifyInput, DomainVerifyPayload, TenantCreateInput, TenantCreatePayload, TenantResumeInput, TenantResumePayload,
    TenantSuspendInput, TenantSuspendPayload,
};
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::ids;

#[derive(Default)]
pub struct TenantsMutation;

#[Object]
impl TenantsMutation {
    /// Platform host: opens a tenant from a template, with its owner as its first staff member. It is whole or not there.
    async fn tenant_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: TenantCreateInput,
    ) -> ApiResult<TenantCreatePayload> {
        TenantCreatePayload::of(create(ctx.rq(), input).await)
    }

    /// Platform host, platform staff: takes a tenant off. Its staff and subscribers are answered TENANT_SUSPENDED and its
    /// network logins rejected until it is resumed; nothing is lost.
    async fn tenant_suspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: TenantSuspendInput,
    ) -> ApiResult<TenantSuspendPayload> {
        TenantSuspendPayload::of(suspend(ctx.rq(), &input).await)
    }

    /// Platform host, platform staff: lets a suspended tenant go on.
    async fn tenant_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: TenantResumeInput,
    ) -> ApiResult<TenantResumePayload> {
        TenantResumePayload::of(resume(ctx.rq(), &input.id).await)
    }

    /// Platform host, platform staff: takes on a director with its first login.
    async fn director_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DirectorCreateInput,
    ) -> ApiResult<DirectorCreatePayload> {
        DirectorCreatePayload::of(create_director(ctx.rq(), input).await)
    }

    /// Platform host: claims a hostname for a tenant. It serves once `domainVerify` has found the TXT record.
    async fn domain_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DomainAddInput,
    ) -> ApiResult<DomainAddPayload> {
        DomainAddPayload::of(add(ctx.rq(), &input).await)
    }

    /// Platform host: looks for the TXT record and puts the hostname into service. INVALID_STATE when it is not there.
    async fn domain_verify(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DomainVerifyInput,
    ) -> ApiResult<DomainVerifyPayload> {
        DomainVerifyPayload::of(verify(ctx.rq(), &input.id).await)
    }

    /// Platform host: gives a hostname up; it serves nobody from now on.
    async fn domain_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DomainRemoveInput,
    ) -> ApiResult<DomainRemovePayload> {
        DomainRemovePayload::of(remove(ctx.rq(), &input.id).await)
    }
}

async fn create(rq: &RequestCtx, input: TenantCreateInput) -> Result<TenantDetails> {
    rq.require_platform_host()?;
    let tenant = runs::tenant_create(&rq.database, &rq.actor, input.command()?).await?;
    rq.app.directory.flush();
    Ok(tenant)
}

async fn create_director(rq: &RequestCtx, input: DirectorCreateInput) -> Result<tenants::Director> {
    rq.require_platform_host()?;
    runs::director_create(&rq.database, &rq.actor, input.into()).await
}

async fn suspend(rq: &RequestCtx, input: &TenantSuspendInput) -> Result<TenantDetails> {
    let tx = platform(rq).await?;
    let id: TenantId = ids::input(&input.id, "id")?;
    let tenant = tenants::suspend(&tx, id, &input.reason).await?;
    commit(rq, tx).await?;
    Ok(tenant)
}

async fn resume(rq: &RequestCtx, id: &ID) -> Result<TenantDetails> {
    let tx = platform(rq).await?;
    let tenant = tenants::resume(&tx, ids::input(id, "id")?).await?;
    commit(rq, tx).await?;
    Ok(tenant)
}

async fn add(rq: &RequestCtx, input: &DomainAddInput) -> Result<tenants::Domain> {
    let tx = platform(rq).await?;
    let tenant = ids::input(&input.tenant_id, "tenantId")?;
    let domain = tenants::domain_add(&tx, rq.app.directory.base_domain(), tenant, &input.hostname).await?;
    commit(rq, tx).await?;
    Ok(domain)
}

async fn verify(rq: &RequestCtx, id: &ID) -> Result<tenants::Domain> {
    rq.require_platform_host()?;
    let id = ids::input(id, "id")?;
    let domain = tenants::domain_verify(&rq.database, &rq.actor, &rq.app.dns, id).await?;
    rq.app.directory.flush();
    Ok(domain)
}

async fn remove(rq: &RequestCtx, id: &ID) -> Result<ID> {
    let tx = platform(rq).await?;
    let id: DomainId = ids::input(id, "id")?;
    let removed = tenants::domain_remove(&tx, id).await?;
    commit(rq, tx).await?;
    Ok(ids::out(removed))
}

/// A transaction for somebody who is signed in: who is not is told so before anything about the input.
async fn platform(rq: &RequestCtx) -> Result<PlatformTx> {
    rq.require_platform_host()?;
    rq.platform().await
}

/// Commits a change of a tenant, and sees it at once in this process; the others are notified.
async fn commit(rq: &RequestCtx, tx: PlatformTx) -> Result<()> {
    tx.commit().await?;
    rq.app.directory.flush();
    Ok(())
}
