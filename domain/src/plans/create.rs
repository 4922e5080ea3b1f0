use chrono::NaiveDate;
use serde::Serialize;

use super::entity::{BillIn, IntervalUnit, PaymentMode, Plan, PlanKind};
use super::queries;
use super::rules::Terms;
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{PlanId, PlanVersionId};

#[derive(Clone, Debug, Serialize)]
pub struct CreatePlan {
    pub code: String,
    pub name: String,
    pub kind: PlanKind,
    pub payment_mode: PaymentMode,
    pub bill_in: BillIn,
    pub period_unit: IntervalUnit,
    pub period_count: i32,
    pub terms: Terms,
}

/// Puts a new plan on sale. TAKEN when the code is in use, whatever its case.
pub async fn create(tx: &TenantTx, mut cmd: CreatePlan) -> Result<Plan> {
    tx.require(Permission::PlanWrite)?;
    check(tx, &mut cmd)?;
    let id = PlanId::new();
    let inserted = tx
        .sql(
            "INSERT INTO plan (id, code, name, kind, payment_mode, bill_in, period_unit, period_count, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (lower(code)) DO NOTHING",
        )
        .bind(id)
        .bind(cmd.code.as_str())
        .bind(cmd.name.as_str())
        .bind(cmd.kind)
        .bind(cmd.payment_mode)
        .bind(cmd.bill_in)
        .bind(cmd.period_unit)
        .bind(cmd.period_count)
        .bind(tx.now())
        .run()
        .await?;
    if inserted == 0 {
        return Err(Error::user(ErrorCode::Taken, "code", "Another plan has this code."));
    }
    insert_version(tx, id, NewVersion::first(&cmd.terms)).await?;
    tx.audit("planCreate", id.0, &cmd).await?;
    queries::get(tx, id).await
}

fn check(tx: &TenantTx, cmd: &mut CreatePlan) -> Result<()> {
    let mut checks = Checks::new();
    cmd.code = checks.line(&cmd.code, 40, "code");
    cmd.name = checks.line(&cmd.name, 120, "name");
    checks.ensure((1..=366).contains(&cmd.period_count), "period.count", "Must be 1 to 366.");
    let arrears_of_prepaid = cmd.bill_in == BillIn::Arrears && cmd.payment_mode == PaymentMode::Prepaid;
    checks.ensure(!arrears_of_prepaid, "billIn", "Only postpaid plans may be billed in arrears.");
    let postpaid_hours = cmd.period_unit == IntervalUnit::Hour && cmd.payment_mode == PaymentMode::Postpaid;
    checks.ensure(
        !postpaid_hours,
        "period.unit",
        "Hours are sold prepaid: a postpaid plan's periods are days at least.",
    );
    cmd.terms.check(&mut checks, tx.tenant().currency());
    checks.done()
}

/// A version that is to be written down.
pub(super) struct NewVersion<'a> {
    pub number: i32,
    pub effective_on: Option<NaiveDate>,
    pub new_services_only: bool,
    pub terms: &'a Terms,
}

impl<'a> NewVersion<'a> {
    fn first(terms: &'a Terms) -> Self {
        Self {
            number: 1,
            effective_on: None,
            new_services_only: false,
            terms,
        }
    }
}

pub(super) async fn insert_version(tx: &TenantTx, plan: PlanId, new: NewVersion<'_>) -> Result<()> {
    let terms = new.terms;
    tx.sql(
        "INSERT INTO plan_version (id, plan_id, number, price, currency, tax_inclusive, tax_code, download_kbps, upload_kbps,
             data_cap_bytes, fair_use_download_kbps, fair_use_upload_kbps, simultaneous_sessions, created_at, effective_on,
             new_services_only, trial_days, term_unit, term_count, exit_kind, exit_value)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
    )
    .bind(PlanVersionId::new())
    .bind(plan)
    .bind(new.number)
    .bind(terms.price)
    .bind(tx.tenant().currency().code())
    .bind(terms.tax_inclusive)
    .bind(terms.tax_code.clone())
    .bind(terms.download_kbps)
    .bind(terms.upload_kbps)
    .bind(terms.data_cap_bytes)
    .bind(terms.fair_use_download_kbps)
    .bind(terms.fair_use_upload_kbps)
    .bind(terms.simultaneous_sessions)
    .bind(tx.now())
    .bind(new.effective_on)
    .bind(new.new_services_only)
    .bind(terms.trial_days)
    .bind(terms.minimum_term.as_ref().map(|t| t.unit))
    .bind(terms.minimum_term.as_ref().map(|t| t.count))
    .bind(terms.minimum_term.as_ref().map(|t| t.exit_kind))
    .bind(terms.minimum_term.as_ref().map(|t| t.exit_value))
    .run()
    .await?;
    Ok(())
}
