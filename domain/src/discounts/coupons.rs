use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::entity::{Coupon, Terms};
use super::events::{CouponCreated, CouponDisabled};
use super::of_service::check_terms;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::CouponId;
use crate::kernel::page::{Page, PageRequest};

/// Coupons are listed in the order of their creation.
pub type CouponKey = (DateTime<Utc>, CouponId);

#[derive(Clone, Debug, Serialize)]
pub struct CreateCoupon {
    pub code: String,
    pub terms: Terms,
    pub valid_from: Option<NaiveDate>,
    /// The last day.
    pub valid_until: Option<NaiveDate>,
    pub max_total: Option<i32>,
    pub max_per_subscriber: Option<i32>,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT c.id, c.code, c.name, c.percent, c.amount, c.currency, c.with_addons, c.periods, c.valid_from, c.valid_until,
                 c.max_total, c.max_per_subscriber, c.redeemed, c.disabled_at, c.created_at
             FROM coupon c ",
            $tail
        )
    };
}

/// Issues a coupon. TAKEN when another has the code, whatever its case.
pub async fn create(tx: &TenantTx, mut cmd: CreateCoupon) -> Result<Coupon> {
    tx.require(Permission::PlanWrite)?;
    check(tx, &mut cmd)?;
    let id = CouponId::new();
    let inserted = tx
        .sql(
            "INSERT INTO coupon (id, code, name, percent, amount, currency, with_addons, periods, valid_from, valid_until, max_total,
                 max_per_subscriber, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (lower(code)) DO NOTHING",
        )
        .bind(id)
        .bind(cmd.code.as_str())
        .bind(cmd.terms.name.as_str())
        .bind(cmd.terms.percent)
        .bind(cmd.terms.amount)
        .bind(tx.tenant().currency().code())
        .bind(cmd.terms.with_addons)
        .bind(cmd.terms.periods)
        .bind(cmd.valid_from)
        .bind(cmd.valid_until)
        .bind(cmd.max_total)
        .bind(cmd.max_per_subscriber)
        .bind(tx.now())
        .run()
        .await?;
    if inserted == 0 {
        return Err(Error::user(ErrorCode::Taken, "code", "Another coupon has this code."));
    }
    tx.audit("couponCreate", id.0, &cmd).await?;
    tx.emit(&CouponCreated { coupon_id: id }).await?;
    get(tx, id).await
}

fn check(tx: &TenantTx, cmd: &mut CreateCoupon) -> Result<()> {
    let mut checks = Checks::new();
    cmd.code = checks.line(&cmd.code, 40, "code");
    checks.ensure(!cmd.code.contains(char::is_whitespace), "code", "Must not contain blanks.");
    check_terms(tx, &mut cmd.terms, &mut checks);
    let in_order = cmd.valid_from.zip(cmd.valid_until).is_none_or(|(from, until)| from <= until);
    checks.ensure(in_order, "validUntil", "Must not be before validFrom.");
    let to_come = cmd.valid_until.is_none_or(|until| until >= tx.today());
    checks.ensure(to_come, "validUntil", "Must not be before today.");
    for (limit, field) in [(cmd.max_total, "maxTotal"), (cmd.max_per_subscriber, "maxPerSubscriber")] {
        checks.ensure(limit.is_none_or(|n| n > 0), field, "Must be more than 0.");
    }
    checks.done()
}

/// Nobody can redeem it from now on; discounts that it gave stay. Disabling it again changes nothing.
pub async fn disable(tx: &TenantTx, id: CouponId) -> Result<Coupon> {
    tx.require(Permission::PlanWrite)?;
    let disabled = tx
        .sql("UPDATE coupon SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL")
        .bind(id)
        .bind(tx.now())
        .run()
        .await?;
    if disabled == 1 {
        tx.audit("couponDisable", id.0, ()).await?;
        tx.emit(&CouponDisabled { coupon_id: id }).await?;
    }
    get(tx, id).await
}

async fn get(tx: &TenantTx, id: CouponId) -> Result<Coupon> {
    let found = tx.sql(select!("WHERE c.id = $1")).bind(id).optional().await?;
    found.ok_or_else(|| Error::not_found("id"))
}

/// A coupon that the actor may see, or none: codes are worth money, so that subscribers see none.
pub async fn find(tx: &TenantTx, id: CouponId) -> Result<Option<Coupon>> {
    tx.require(Permission::PlanRead)?;
    tx.sql(select!("WHERE c.id = $1")).bind(id).optional().await
}

/// For loaders, for staff who may see coupons.
pub async fn by_ids(tx: &TenantTx, ids: &[CouponId]) -> Result<Vec<Coupon>> {
    tx.require(Permission::PlanRead)?;
    tx.sql(select!("WHERE c.id = ANY($1)")).bind(CouponId::array(ids)).all().await
}

pub(super) async fn by_code(tx: &TenantTx, code: &str) -> Result<Option<Coupon>> {
    tx.sql(select!("WHERE lower(c.code) = lower($1)"))
        .bind(code.trim())
        .optional()
        .await
}

/// A page of coupons.
pub async fn list(tx: &TenantTx, page: PageRequest<CouponKey>) -> Result<Page<Coupon>> {
    tx.require(Permission::PlanRead)?;
    let (created_at, id) = page.after.unzip();
    let rows = tx
        .sql(select!(
            "WHERE ($1::timestamptz IS NULL OR (c.created_at, c.id) > ($1, $2)) ORDER BY c.created_at, c.id LIMIT $3"
        ))
        .bind(created_at)
        .bind(id)
        .bind(page.limit() as i64)
        .all()
        .await?;
    Ok(Page::from_rows(&page, rows))
}

pub async fn count(tx: &TenantTx) -> Result<i64> {
    tx.require(Permission::PlanRead)?;
    Ok(tx.sql("SELECT count(*) FROM coupon").scalar().await?.unwrap_or(0))
}
