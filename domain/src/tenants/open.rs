use std::sync::Arc;

use serde::Serialize;
use trunkline_migration::TENANT_SCHEMA_VERSION;
use uuid::Uuid;

use super::directory;
use super::rules::check_slug;
use super::template::{Template, TemplateError};
use crate::kernel::actor::Actor;
use crate::kernel::calendar::Zone;
use crate::kernel::check::Checks;
use crate::kernel::crypto::hash_password;
use crate::kernel::db::{Database, PlatformTx, ProvisionTx, Tenant, TenantRecord, TenantStatus, TenantTx};
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{DirectorId, TenantId};
use crate::kernel::money::Currency;

#[derive(Clone, Serialize)]
pub struct OpenTenant {
    pub slug: String,
    pub name: String,
    pub template: String,
    /// The template's where absent.
    pub currency: Option<Currency>,
    /// The template's where absent.
    pub timezone: Option<String>,
    pub director_id: Option<DirectorId>,
    pub owner: Owner,
    #[serde(skip)]
    pub idempotency_key: Option<Uuid>,
}

/// The first of an ISP's staff.
#[derive(Clone, Serialize)]
pub struct Owner {
    pub name: String,
    pub email: String,
    #[serde(skip)]
    pub password: String,
}

/// What came of an [`open`].
pub enum Opening {
    /// An earlier call with the same key made it.
    Known(TenantId),
    New(Box<New>),
}

/// An ISP that has its schema and nothing in it yet. It exists once `tx` is committed.
pub struct New {
    pub tx: TenantTx,
    pub tenant: Tenant,
    pub template: Template,
    pub owner: Owner,
    pub password_hash: String,
}

/// Opens an ISP up to the point where its own tables can be filled: one transaction, which the caller goes on with and
/// commits. `runs::tenant_create` is the whole of it.
pub async fn open(database: &Database, actor: &Arc<Actor>, mut cmd: OpenTenant) -> Result<Opening> {
    cmd.director_id = director(actor, cmd.director_id)?;
    let (template, zone) = check(&mut cmd)?;
    let password_hash = hash_password(&cmd.owner.password).await?;
    let id = TenantId::new();
    let provision = database.begin_provision(actor.clone()).await?;
    let tx = provision.platform();
    // The password is part of what a replay must repeat, but must not be guessable from what is kept of it.
    let password = database.secret().mac("idempotency", cmd.owner.password.as_bytes());
    let key = cmd.idempotency_key;
    if let Some(known) = tx.claim_key("tenantCreate", key, &(&cmd, password), id.0).await? {
        return Ok(Opening::Known(TenantId(known)));
    }
    director_exists(tx, cmd.director_id).await?;
    let tenant = insert(database, &provision, id, &cmd, &template, zone).await?;
    provision.create_schema(&tenant).await?;
    network(tx, &tenant).await?;
    tx.audit("tenantCreate", id.0, &cmd).await?;
    directory::notify(tx, tenant.number()).await?;
    let tx = provision.enter(&tenant).await?;
    let owner = cmd.owner;
    Ok(Opening::New(Box::new(New {
        tx,
        tenant,
        template,
        owner,
        password_hash,
    })))
}

/// Platform staff name any director or none; a director owns what it opens.
fn director(actor: &Actor, named: Option<DirectorId>) -> Result<Option<DirectorId>> {
    match actor {
        Actor::System | Actor::PlatformStaff { .. } => Ok(named),
        Actor::Director { director, .. } if named.is_none_or(|n| n == *director) => Ok(Some(*director)),
        Actor::Director { .. } => Err(Error::not_found("directorId")),
        Actor::Anonymous => Err(Error::Unauthenticated),
        Actor::Person { .. } | Actor::Staff { .. } | Actor::Subscriber { .. } => Err(Error::Forbidden),
    }
}

fn check(cmd: &mut OpenTenant) -> Result<(Template, Zone)> {
    let mut checks = Checks::new();
    if let Err(e) = check_slug(&cmd.slug) {
        checks.add(ErrorCode::Invalid, "slug", e.message());
    }
    cmd.name = checks.line(&cmd.name, 120, "name");
    cmd.owner.name = checks.line(&cmd.owner.name, 120, "owner.name");
    cmd.owner.email = checks.email(&cmd.owner.email, "owner.email");
    checks.password(&cmd.owner.password, "owner.password");
    let zone: Option<Zone> = cmd.timezone.as_deref().and_then(|z| z.parse().ok());
    if cmd.timezone.is_some() && zone.is_none() {
        checks.add(
            ErrorCode::Invalid,
            "timezone",
            "Must be a time zone of the IANA database, such as Asia/Kolkata.",
        );
    }
    let template = match Template::load(&cmd.template) {
        Ok(template) => Some(template),
        Err(TemplateError::Unknown(_)) => {
            checks.add(ErrorCode::NotFound, "template", "There is no such template.");
            None
        }
        Err(e) => return Err(Error::internal(e)),
    };
    checks.done()?;
    let template = template.ok_or_else(|| Error::internal("unreachable: a missing template is an error"))?;
    let zone = zone.unwrap_or(template.profile().timezone);
    Ok((template, zone))
}

async fn director_exists(tx: &PlatformTx, id: Option<DirectorId>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    let known: Option<i32> = tx
        .sql("SELECT 1 FROM platform.director WHERE id = $1 FOR KEY SHARE")
        .bind(id)
        .scalar()
        .await?;
    known.map(drop).ok_or_else(|| Error::not_found("directorId"))
}

/// The row in `platform.tenant`; TAKEN when the slug is in use. Of two at once, one waits for the other here.
async fn insert(
    database: &Database,
    provision: &ProvisionTx,
    id: TenantId,
    cmd: &OpenTenant,
    template: &Template,
    zone: Zone,
) -> Result<Tenant> {
    let profile = template.profile();
    let cell = provision.assign_cell().await?;
    let tx = provision.platform();
    let number: Option<i64> = tx
        .sql("SELECT nextval(pg_get_serial_sequence('platform.tenant', 'id'))")
        .scalar()
        .await?;
    let number = number
        .and_then(|n| i32::try_from(n).ok())
        .ok_or_else(|| Error::internal("no tenant numbers are left"))?;
    let record: Option<TenantRecord> = tx
        .sql(
            "INSERT INTO platform.tenant (id, uid, slug, name, country, currency, timezone, template, status, director_id,
                 cell_id, role_name, schema_version, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::name, $13, $14) ON CONFLICT (slug) DO NOTHING
             RETURNING id, uid, slug, name, country, currency, timezone, status, template, cell_id,
                 role_name::text AS role_name, schema_version",
        )
        .bind(number)
        .bind(id)
        .bind(cmd.slug.as_str())
        .bind(cmd.name.as_str())
        .bind(profile.country.as_str())
        .bind(cmd.currency.unwrap_or(profile.currency).code())
        .bind(zone.name())
        .bind(cmd.template.as_str())
        .bind(TenantStatus::Active)
        .bind(cmd.director_id)
        .bind(cell)
        .bind(database.installation().tenant_role(number))
        .bind(TENANT_SCHEMA_VERSION)
        .bind(tx.now())
        .optional()
        .await?;
    let taken = || Error::user(ErrorCode::Taken, "slug", "Another provider has this name.");
    Tenant::new(record.ok_or_else(taken)?)
}

/// What RADIUS knows of the ISP. PostgreSQL and the product may differ in the time zones that they know.
async fn network(tx: &PlatformTx, tenant: &Tenant) -> Result<()> {
    let inserted = tx
        .sql("INSERT INTO radius.tenant (tenant_id, timezone, status) VALUES ($1, $2, 'active')")
        .bind(tenant.number())
        .bind(tenant.timezone().name())
        .run()
        .await;
    match inserted {
        Err(e) if e.sqlstate() == Some("22023") => Err(Error::invalid("timezone", "The database does not know this time zone.")),
        other => other.map(drop),
    }
}
