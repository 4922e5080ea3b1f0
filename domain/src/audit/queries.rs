use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::kernel::actor::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::page::{Page, PageRequest};
use crate::kernel::text_enum;

text_enum! {
    /// What [`crate::Actor::kind`] says.
    ActorKind { System, Anonymous, PlatformStaff, Director, Person, TenantStaff, Subscriber }
}

/// One deed.
#[derive(Clone, Debug, FromQueryResult)]
pub struct AuditEntry {
    pub id: Uuid,
    /// By the product's clock.
    pub at: DateTime<Utc>,
    /// The text of an [`ActorKind`].
    pub actor_kind: String,
    /// None: the product itself, or nobody who had signed in.
    pub actor_id: Option<Uuid>,
    /// What the actor is called now; none for who is not of this ISP.
    pub actor_name: Option<String>,
    /// The use case, such as `paymentRecord`.
    pub action: String,
    /// What it was done to.
    pub target_id: Option<Uuid>,
    /// What was asked for, without secrets.
    pub detail: serde_json::Value,
}

/// The audit is listed from its end: ids are in the order in which entries were written (RFC 9562, version 7).
pub type AuditKey = Uuid;

/// What is absent does not narrow.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub actor: Option<Uuid>,
    pub action: Option<String>,
    pub target: Option<Uuid>,
    /// From this instant on.
    pub since: Option<DateTime<Utc>>,
    /// Before this instant.
    pub until: Option<DateTime<Utc>>,
}

macro_rules! from_audit {
    ($what:literal, $joins:literal, $tail:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM audit_entry a ",
            $joins,
            " WHERE ($1::uuid IS NULL OR a.actor_id = $1) AND ($2::text IS NULL OR a.action = $2)
              AND ($3::uuid IS NULL OR a.target_id = $3) AND ($4::timestamptz IS NULL OR a.at >= $4)
              AND ($5::timestamptz IS NULL OR a.at < $5) ",
            $tail
        )
    };
}

/// A page of what was done, the latest first. FORBIDDEN without `audit:read`.
pub async fn list(tx: &TenantTx, page: PageRequest<AuditKey>, filter: &AuditFilter) -> Result<Page<AuditEntry>> {
    tx.require(Permission::AuditRead)?;
    let rows = tx
        .sql(from_audit!(
            "a.id, a.at, a.actor_kind, a.actor_id, coalesce(s.name, u.name) AS actor_name, a.action, a.target_id, a.detail",
            "LEFT JOIN staff s ON a.actor_kind = 'TENANT_STAFF' AND s.id = a.actor_id
             LEFT JOIN subscriber u ON a.actor_kind = 'SUBSCRIBER' AND u.id = a.actor_id",
            "AND ($6::uuid IS NULL OR a.id < $6) ORDER BY a.id DESC LIMIT $7"
        ))
        .bind(filter.actor)
        .bind(filter.action.clone())
        .bind(filter.target)
        .bind(filter.since)
        .bind(filter.until)
        .bind(page.after)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count(tx: &TenantTx, filter: &AuditFilter) -> Result<i64> {
    tx.require(Permission::AuditRead)?;
    let n = tx
        .sql(from_audit!("count(*)", "", ""))
        .bind(filter.actor)
        .bind(filter.action.clone())
        .bind(filter.target)
        .bind(filter.since)
        .bind(filter.until)
        .scalar()
        .await?;
    Ok(n.unwrap_or(0))
}
