use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

pub use crate::kernel::db::TenantStatus;
use crate::kernel::ids::{DirectorId, TenantId};

/// An ISP as the platform sees it.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct TenantDetails {
    pub id: TenantId,
    /// Its number in the shared tables; nobody outside sees it.
    pub number: i32,
    pub slug: String,
    pub name: String,
    pub country: String,
    pub currency: String,
    pub timezone: String,
    pub status: TenantStatus,
    pub suspension_reason: Option<String>,
    pub template: String,
    pub director_id: Option<DirectorId>,
    pub schema_version: i32,
    pub created_at: DateTime<Utc>,
}
