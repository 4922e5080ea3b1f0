use std::sync::Arc;

use chrono_tz::Tz;

use crate::kernel::error::{Error, Result};
use crate::kernel::ids::TenantId;
use crate::kernel::money::Currency;
use crate::kernel::text_enum;

text_enum! {
    TenantStatus { Provisioning, Trial, Active, Suspended, Archived }
}

/// A tenant as `platform.tenant` holds it.
#[derive(Clone, Debug, sea_orm::FromQueryResult)]
pub struct TenantRecord {
    pub id: i32,
    pub uid: TenantId,
    pub slug: String,
    pub name: String,
    pub country: String,
    pub currency: String,
    pub timezone: String,
    pub status: String,
    pub template: String,
    pub cell_id: i32,
    pub role_name: String,
    pub schema_version: i32,
}

/// An ISP that may be opened: the only thing from which a [`super::TenantTx`] can be begun. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tenant(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    record: TenantRecord,
    status: TenantStatus,
    currency: Currency,
    timezone: Tz,
    enter: String,
    begin_write: String,
    begin_read: String,
}

impl Tenant {
    /// The one constructor. It checks the grammar of the role's name, so that it is safe in the prologue.
    pub(crate) fn new(record: TenantRecord) -> Result<Self> {
        let role = &record.role_name;
        let well_formed = role.starts_with("tl_")
            && role.len() < 60
            && role
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !well_formed {
            return Err(Error::internal(format!("tenant {} has a malformed role name", record.id)));
        }
        let enter = format!("SET LOCAL search_path = \"{role}\"; SET LOCAL ROLE \"{role}\"");
        Ok(Self(Arc::new(Inner {
            status: record.status.parse().map_err(Error::internal)?,
            currency: record
                .currency
                .parse()
                .map_err(|_| Error::internal("tenant with an unknown currency"))?,
            timezone: record
                .timezone
                .parse()
                .map_err(|_| Error::internal("tenant with an unknown time zone"))?,
            begin_write: format!("BEGIN; {enter}"),
            begin_read: format!("BEGIN READ ONLY; {enter}"),
            enter,
            record,
        })))
    }

    /// The tenant's number in the shared tables' `tenant_id`.
    pub fn number(&self) -> i32 {
        self.0.record.id
    }

    pub fn id(&self) -> TenantId {
        self.0.record.uid
    }

    pub fn slug(&self) -> &str {
        &self.0.record.slug
    }

    pub fn name(&self) -> &str {
        &self.0.record.name
    }

    /// ISO 3166-1 alpha-2.
    pub fn country(&self) -> &str {
        &self.0.record.country
    }

    pub fn currency(&self) -> Currency {
        self.0.currency
    }

    pub fn timezone(&self) -> Tz {
        self.0.timezone
    }

    pub fn status(&self) -> TenantStatus {
        self.0.status
    }

    /// A suspended ISP serves nobody: neither its staff nor its subscribers.
    pub fn ensure_open(&self) -> Result<()> {
        match self.status() {
            TenantStatus::Trial | TenantStatus::Active => Ok(()),
            TenantStatus::Provisioning | TenantStatus::Suspended | TenantStatus::Archived => Err(Error::TenantSuspended),
        }
    }

    pub fn template(&self) -> &str {
        &self.0.record.template
    }

    /// The newest step of its schema, as of when it was looked up.
    pub(super) fn schema_version(&self) -> i32 {
        self.0.record.schema_version
    }

    pub fn role(&self) -> &str {
        &self.0.record.role_name
    }

    pub(super) fn cell(&self) -> i32 {
        self.0.record.cell_id
    }

    /// Switches an open transaction of the administrator to the tenant.
    pub(super) fn enter(&self) -> &str {
        &self.0.enter
    }

    pub(super) fn begin_write(&self) -> &str {
        &self.0.begin_write
    }

    pub(super) fn begin_read(&self) -> &str {
        &self.0.begin_read
    }
}
