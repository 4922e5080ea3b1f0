//! How this ISP bills: the settings row and the tax rules in force, both taken over from its template.

use chrono::{DateTime, Days, NaiveDate, Utc};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use super::entity::Settings;
use super::rules::{
    ActivationPolicy, AnchorKind, BillingPack, BillingSettings, NumberRule, Pauses, PlanChangeDocument, PrepaidRenewal,
    SuspensionCredit, TaxLevel, TaxRuleSet, TerminationCredit,
};
use crate::kernel::Permission;
use crate::kernel::db::{Sql, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::money::RoundingMode;
use crate::tenants::template::Template;

#[derive(FromQueryResult)]
struct Row {
    anchor: AnchorKind,
    calendar_day: i32,
    activation: ActivationPolicy,
    prepaid_renewal: PrepaidRenewal,
    renewal_lead_days: i32,
    due_days: i32,
    grace_days: i32,
    terminate_after_days: Option<i32>,
    late_fee: Option<Decimal>,
    suspension_credit: SuspensionCredit,
    termination_credit: TerminationCredit,
    plan_change_document: PlanChangeDocument,
    tax_level: TaxLevel,
    rounding_mode: RoundingMode,
    round_invoice_to: Option<Decimal>,
    invoice_number_pattern: String,
    credit_note_number_pattern: String,
    receipt_number_pattern: String,
    debit_note_number_pattern: String,
    fiscal_year_start_month: i32,
    run_hour: i32,
    pause_by_subscriber: bool,
    pause_max_days: Option<i32>,
    pause_max_per_year: Option<i32>,
    pause_max_days_per_year: Option<i32>,
    cut_nobody_before: Option<DateTime<Utc>>,
    expire_nobody_before: Option<DateTime<Utc>>,
    version: i32,
}

impl TryFrom<Row> for Settings {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let days = |n: i32| u32::try_from(n).map_err(Error::internal);
        let small = |n: i32| u8::try_from(n).map_err(Error::internal);
        Ok(Self {
            settings: BillingSettings {
                anchor: row.anchor,
                calendar_day: small(row.calendar_day)?.try_into().map_err(Error::internal)?,
                activation: row.activation,
                prepaid_renewal: row.prepaid_renewal,
                renewal_lead_days: days(row.renewal_lead_days)?,
                due_days: days(row.due_days)?,
                grace_days: days(row.grace_days)?,
                terminate_after_days: row.terminate_after_days.map(days).transpose()?,
                late_fee: row.late_fee.map(|fee| fee.normalize()),
                suspension_credit: row.suspension_credit,
                termination_credit: row.termination_credit,
                plan_change_document: row.plan_change_document,
                tax_level: row.tax_level,
                rounding_mode: row.rounding_mode,
                round_invoice_to: row.round_invoice_to.map(|multiple| multiple.normalize()),
                invoice_number_pattern: row.invoice_number_pattern.parse().map_err(Error::internal)?,
                credit_note_number_pattern: row.credit_note_number_pattern.parse().map_err(Error::internal)?,
                receipt_number_pattern: row.receipt_number_pattern.parse().map_err(Error::internal)?,
                debit_note_number_pattern: row.debit_note_number_pattern.parse().map_err(Error::internal)?,
                fiscal_year_start_month: small(row.fiscal_year_start_month)?.try_into().map_err(Error::internal)?,
                run_hour: days(row.run_hour)?,
                pauses: Pauses {
                    by_subscriber: row.pause_by_subscriber,
                    max_days: row.pause_max_days.map(days).transpose()?,
                    max_per_year: row.pause_max_per_year.map(days).transpose()?,
                    max_days_per_year: row.pause_max_days_per_year.map(days).transpose()?,
                },
                cut_nobody_before: row.cut_nobody_before,
                expire_nobody_before: row.expire_nobody_before,
            },
            version: row.version,
        })
    }
}

/// How this ISP bills. No permission of its own: use cases of every kind go by it.
pub async fn settings(tx: &TenantTx) -> Result<Settings> {
    let row: Row = tx
        .sql(
            "SELECT anchor, calendar_day, activation, prepaid_renewal, renewal_lead_days, due_days, grace_days,
                 terminate_after_days, late_fee, suspension_credit, termination_credit, plan_change_document, tax_level,
                 rounding_mode, round_invoice_to, invoice_number_pattern, credit_note_number_pattern,
                 fiscal_year_start_month, receipt_number_pattern, debit_note_number_pattern, run_hour, pause_by_subscriber,
                 pause_max_days, pause_max_per_year, pause_max_days_per_year, cut_nobody_before, expire_nobody_before, version
             FROM billing_settings",
        )
        .one()
        .await?;
    row.try_into()
}

/// When what is issued today is due if nobody says otherwise.
pub(super) fn due_by_default(tx: &TenantTx, settings: &BillingSettings) -> Result<NaiveDate> {
    let day = tx.today().checked_add_days(Days::new(u64::from(settings.due_days)));
    day.ok_or_else(|| Error::internal("the due date is out of range"))
}

/// As [`settings`], for staff who look at them.
pub async fn settings_view(tx: &TenantTx) -> Result<Settings> {
    tx.require(Permission::SettingsRead)?;
    settings(tx).await
}

/// What this ISP's country demands of document numbers, as its template says.
pub(super) fn number_rule(tx: &TenantTx) -> Result<NumberRule> {
    let template = Template::load(tx.tenant().template()).map_err(Error::internal)?;
    Ok(BillingPack::from_template(&template).map_err(Error::internal)?.number_rule)
}

/// The tax rules in force: the newest adopted that this release can read. A newer release may have adopted others meanwhile, and
/// been taken back.
pub async fn tax_rules(tx: &TenantTx) -> Result<TaxRuleSet> {
    let newest: Option<serde_json::Value> = tx
        .sql("SELECT body FROM tax_rule_set ORDER BY version DESC LIMIT 1")
        .scalar()
        .await?;
    let newest = newest.ok_or_else(|| Error::internal("the tenant has no tax rules"))?;
    match serde_json::from_value(newest) {
        Ok(rules) => Ok(rules),
        Err(e) => {
            tracing::warn!(tenant = tx.tenant().slug(), error = %e, "the newest tax rules cannot be read: those before them count");
            let older: Vec<serde_json::Value> = tx
                .sql("SELECT body FROM tax_rule_set ORDER BY version DESC")
                .scalars()
                .await?;
            let readable = older.into_iter().find_map(|body| serde_json::from_value(body).ok());
            readable.ok_or_else(|| Error::internal(e))
        }
    }
}

/// Binds `$1` to `$25`, in the order of the table's columns.
pub(super) fn bind<'t>(sql: Sql<'t>, s: &BillingSettings) -> Result<Sql<'t>> {
    let days = |n: u32| i32::try_from(n).map_err(Error::internal);
    Ok(sql
        .bind(s.anchor)
        .bind(i32::from(u8::from(s.calendar_day)))
        .bind(s.activation)
        .bind(s.prepaid_renewal)
        .bind(days(s.renewal_lead_days)?)
        .bind(days(s.due_days)?)
        .bind(days(s.grace_days)?)
        .bind(s.terminate_after_days.map(days).transpose()?)
        .bind(s.late_fee)
        .bind(s.suspension_credit)
        .bind(s.termination_credit)
        .bind(s.plan_change_document)
        .bind(s.tax_level)
        .bind(s.rounding_mode)
        .bind(s.round_invoice_to)
        .bind(s.invoice_number_pattern.to_string())
        .bind(s.credit_note_number_pattern.to_string())
        .bind(i32::from(u8::from(s.fiscal_year_start_month)))
        .bind(s.receipt_number_pattern.to_string())
        .bind(s.debit_note_number_pattern.to_string())
        .bind(days(s.run_hour)?)
        .bind(s.pauses.by_subscriber)
        .bind(s.pauses.max_days.map(days).transpose()?)
        .bind(s.pauses.max_per_year.map(days).transpose()?)
        .bind(s.pauses.max_days_per_year.map(days).transpose()?))
}

/// Takes over the tax rules that a release brought, if there are newer ones than the ISP has adopted. Rates have dates of their
/// own, so rules are good before they count. Rules that were adopted once do not come back with a process of the release before.
pub async fn adopt_newer_rules(tx: &TenantTx) -> Result<bool> {
    #[derive(FromQueryResult)]
    struct Adopted {
        version: i32,
        name: String,
        known: bool,
    }
    let template = Template::load(tx.tenant().template()).map_err(Error::internal)?;
    let rules = BillingPack::from_template(&template).map_err(Error::internal)?.taxes;
    let name = &rules.data().version;
    let last: Adopted = tx
        .sql(
            "SELECT r.version, r.body ->> 'version' AS name,
                 EXISTS (SELECT FROM tax_rule_set k WHERE k.body ->> 'version' = $1) AS known
             FROM tax_rule_set r ORDER BY r.version DESC LIMIT 1",
        )
        .bind(name.as_str())
        .one()
        .await?;
    if last.known {
        return Ok(false);
    }
    let adopted = tx
        .sql("INSERT INTO tax_rule_set (version, body, adopted_at) VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING")
        .bind(last.version + 1)
        .bind(serde_json::to_value(&rules)?)
        .bind(tx.now())
        .run()
        .await?;
    if adopted == 0 {
        return Ok(false);
    }
    let detail = serde_json::json!({ "from": last.name, "to": name });
    tx.audit("taxRulesAdopt", tx.tenant().id().0, detail).await?;
    Ok(true)
}

/// Takes over a template's billing part, when the ISP is made.
pub async fn adopt(tx: &TenantTx, template: &Template) -> Result<()> {
    let pack = BillingPack::from_template(template).map_err(Error::internal)?;
    let s = &pack.settings;
    let insert = tx.sql(
        "INSERT INTO billing_settings (anchor, calendar_day, activation, prepaid_renewal, renewal_lead_days, due_days,
             grace_days, terminate_after_days, late_fee, suspension_credit, termination_credit, plan_change_document,
             tax_level, rounding_mode, round_invoice_to, invoice_number_pattern, credit_note_number_pattern,
             fiscal_year_start_month, receipt_number_pattern, debit_note_number_pattern, run_hour, pause_by_subscriber,
             pause_max_days, pause_max_per_year, pause_max_days_per_year)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)",
    );
    bind(insert, s)?.run().await?;
    tx.sql("INSERT INTO tax_rule_set (version, body, adopted_at) VALUES (1, $1, $2)")
        .bind(serde_json::to_value(&pack.taxes)?)
        .bind(tx.now())
        .run()
        .await?;
    Ok(())
}
