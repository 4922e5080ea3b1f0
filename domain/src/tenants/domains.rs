use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::directory;
use super::queries::{lock, scope};
use super::rules::check_hostname;
use crate::kernel::actor::Actor;
use crate::kernel::db::{Database, PlatformTx};
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{DomainId, TenantId};

/// An ISP claims no more names than this.
const MAX_DOMAINS: i64 = 20;

/// A hostname of an ISP's own. It serves once its owner has proved by DNS that it is theirs.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Domain {
    pub id: DomainId,
    pub tenant_id: TenantId,
    pub hostname: String,
    pub is_primary: bool,
    pub verification_token: String,
    pub verified_at: Option<DateTime<Utc>>,
}

impl Domain {
    /// Where the proof must stand: a TXT record of this name …
    pub fn record_name(&self) -> String {
        format!("_trunkline.{}", self.hostname)
    }

    /// … with this text.
    pub fn record_value(&self) -> String {
        format!("trunkline-verification={}", self.verification_token)
    }
}

/// Asks the DNS. Implemented over the network in `api`.
#[async_trait]
pub trait TxtResolver: Send + Sync {
    /// The texts of a name's TXT records, their parts joined; none when there is no such name. Unavailable when nobody
    /// answers.
    async fn txt(&self, name: &str) -> Result<Vec<String>>;
}

macro_rules! select_domain {
    ($tail:literal) => {
        concat!(
            "SELECT d.id, t.uid AS tenant_id, d.hostname, d.is_primary, d.verification_token, d.verified_at
             FROM platform.domain d JOIN platform.tenant t ON t.id = d.tenant_id ",
            $tail
        )
    };
}

/// For loaders: the domains of those of the ISPs that the actor may see, in the order in which they were added.
pub async fn domains_of(tx: &PlatformTx, tenants: &[TenantId]) -> Result<Vec<Domain>> {
    let scope = scope(tx)?;
    tx.sql(select_domain!(
        "WHERE t.uid = ANY($1) AND ($2::uuid IS NULL OR t.director_id = $2) ORDER BY d.created_at, d.id"
    ))
    .bind(TenantId::array(tenants))
    .bind(scope)
    .all()
    .await
}

/// A domain that the actor may see, or none.
pub async fn domain_find(tx: &PlatformTx, id: DomainId) -> Result<Option<Domain>> {
    let scope = scope(tx)?;
    tx.sql(select_domain!("WHERE d.id = $1 AND ($2::uuid IS NULL OR t.director_id = $2)"))
        .bind(id)
        .bind(scope)
        .optional()
        .await
}

/// Claims a hostname for an ISP. TAKEN when it serves another already; a claim that nobody has proved keeps no one out.
pub async fn domain_add(tx: &PlatformTx, base_domain: &str, tenant: TenantId, hostname: &str) -> Result<Domain> {
    // First of all whether the actor may: who may not learns nothing of names.
    let tenant = lock(tx, tenant).await?.ok_or_else(|| Error::not_found("tenantId"))?;
    let hostname = check_hostname(hostname, base_domain).map_err(|why| Error::invalid("hostname", why))?;
    let serves_another: Option<i32> = tx
        .sql("SELECT 1 FROM platform.domain WHERE hostname = $1 AND verified_at IS NOT NULL AND tenant_id <> $2")
        .bind(hostname.as_str())
        .bind(tenant.number)
        .scalar()
        .await?;
    if serves_another.is_some() {
        return Err(taken("hostname"));
    }
    let count: Option<i64> = tx
        .sql("SELECT count(*) FROM platform.domain WHERE tenant_id = $1")
        .bind(tenant.number)
        .scalar()
        .await?;
    if count.unwrap_or(0) >= MAX_DOMAINS {
        let message = format!("A provider has at most {MAX_DOMAINS} domains.");
        return Err(Error::user(ErrorCode::LimitExceeded, "hostname", message));
    }
    let id = DomainId::new();
    let inserted = tx
        .sql(
            "INSERT INTO platform.domain (id, tenant_id, hostname, verification_token, created_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, hostname) DO NOTHING",
        )
        .bind(id)
        .bind(tenant.number)
        .bind(hostname.as_str())
        .bind(hex::encode(rand::random::<[u8; 16]>()))
        .bind(tx.now())
        .run()
        .await?;
    if inserted == 0 {
        return Err(Error::user(
            ErrorCode::Taken,
            "hostname",
            "This domain has been added already.",
        ));
    }
    tx.audit(
        "domainAdd",
        id.0,
        serde_json::json!({ "tenant": tenant.id, "hostname": hostname }),
    )
    .await?;
    get(tx, id).await
}

/// Gives a hostname up; from now on it serves nobody.
pub async fn domain_remove(tx: &PlatformTx, id: DomainId) -> Result<DomainId> {
    let (tenant, domain) = locked(tx, id).await?;
    tx.sql("DELETE FROM platform.domain WHERE id = $1").bind(id).run().await?;
    if domain.is_primary {
        tx.sql(
            "UPDATE platform.domain SET is_primary = true WHERE id =
                 (SELECT id FROM platform.domain WHERE tenant_id = $1 AND verified_at IS NOT NULL ORDER BY verified_at, id LIMIT 1)",
        )
        .bind(tenant)
        .run()
        .await?;
    }
    tx.audit("domainRemove", id.0, serde_json::json!({ "hostname": domain.hostname }))
        .await?;
    directory::notify(tx, tenant).await?;
    Ok(id)
}

/// Looks for the proof in the DNS and puts the hostname into service. The first that is verified is the primary one.
pub async fn domain_verify(database: &Database, actor: &Arc<Actor>, resolver: &dyn TxtResolver, id: DomainId) -> Result<Domain> {
    let tx = database.begin_platform(actor.clone()).await?;
    let domain = get(&tx, id).await?;
    drop(tx);
    if domain.verified_at.is_some() {
        return Ok(domain);
    }
    // No transaction is held open while the DNS is asked.
    let found = resolver.txt(&domain.record_name()).await?;
    if !found.iter().any(|text| text.trim() == domain.record_value()) {
        let message = format!(
            "There is no TXT record {} with the value {} yet.",
            domain.record_name(),
            domain.record_value()
        );
        return Err(Error::state("id", message));
    }
    let tx = database.begin_platform(actor.clone()).await?;
    let (tenant, _) = locked(&tx, id).await?;
    let verified = tx
        .sql(
            "UPDATE platform.domain SET verified_at = $2, is_primary = NOT EXISTS
                 (SELECT 1 FROM platform.domain o WHERE o.tenant_id = $3 AND o.is_primary)
             WHERE id = $1 AND verified_at IS NULL",
        )
        .bind(id)
        .bind(tx.now())
        .bind(tenant)
        .run()
        .await;
    match verified {
        Err(e) if e.constraint() == Some("domain_verified") => return Err(taken("id")),
        other => other?,
    };
    tx.audit("domainVerify", id.0, serde_json::json!({ "hostname": domain.hostname }))
        .await?;
    directory::notify(&tx, tenant).await?;
    let domain = get(&tx, id).await?;
    tx.commit().await?;
    Ok(domain)
}

/// The domain with its ISP's number, the ISP held against changes.
async fn locked(tx: &PlatformTx, id: DomainId) -> Result<(i32, Domain)> {
    let domain = get(tx, id).await?;
    let tenant = lock(tx, domain.tenant_id).await?.ok_or_else(|| Error::not_found("id"))?;
    Ok((tenant.number, get(tx, id).await?))
}

async fn get(tx: &PlatformTx, id: DomainId) -> Result<Domain> {
    domain_find(tx, id).await?.ok_or_else(|| Error::not_found("id"))
}

fn taken(field: &str) -> Error {
    Error::user(ErrorCode::Taken, field, "This domain serves another provider.")
}
