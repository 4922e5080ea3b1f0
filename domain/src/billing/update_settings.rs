use rust_decimal::Decimal;
use serde::Serialize;

use super::entity::Settings;
use super::events::BillingSettingsUpdated;
use super::rules::{
    ActivationPolicy, AnchorKind, BillingSettings, FiscalYear, NumberPattern, Pauses, PlanChangeDocument, PrepaidRenewal,
    SuspensionCredit, TaxLevel, TerminationCredit,
};
use super::{numbers, registrations, setup};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::money::{Money, RoundingMode};
use crate::kernel::patch::Patch;

/// Absent fields stay as they are; `Patch::Clear` empties what may be empty.
///
/// When a change counts: `anchor` and `calendar_day` from each service's next charge, which is prorated up to where its new
/// periods begin; what is charged already stays. `renewal_lead_days`, `due_days`, taxes' level, rounding and numbers from
/// the next document. `run_hour` from the next day at the latest. `grace_days` at once, also for what is unpaid now. The policies
/// of suspension, pause, termination and plan change when the next such event happens.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateSettings {
    pub expected_version: i32,
    pub anchor: Patch<AnchorKind>,
    pub calendar_day: Patch<i32>,
    pub activation: Patch<ActivationPolicy>,
    pub prepaid_renewal: Patch<PrepaidRenewal>,
    pub renewal_lead_days: Patch<i32>,
    pub due_days: Patch<i32>,
    pub grace_days: Patch<i32>,
    pub terminate_after_days: Patch<i32>,
    pub late_fee: Patch<Decimal>,
    pub suspension_credit: Patch<SuspensionCredit>,
    pub termination_credit: Patch<TerminationCredit>,
    pub plan_change_document: Patch<PlanChangeDocument>,
    pub tax_level: Patch<TaxLevel>,
    pub rounding_mode: Patch<RoundingMode>,
    pub round_invoice_to: Patch<Decimal>,
    pub invoice_number_pattern: Patch<String>,
    pub credit_note_number_pattern: Patch<String>,
    pub receipt_number_pattern: Patch<String>,
    pub debit_note_number_pattern: Patch<String>,
    pub fiscal_year_start_month: Patch<i32>,
    pub run_hour: Patch<i32>,
    pub pause_by_subscriber: Patch<bool>,
    pub pause_max_days: Patch<i32>,
    pub pause_max_per_year: Patch<i32>,
    pub pause_max_days_per_year: Patch<i32>,
}

/// Changes how this ISP bills. STALE_VERSION when somebody else changed it meanwhile.
pub async fn settings_update(tx: &TenantTx, cmd: UpdateSettings) -> Result<Settings> {
    tx.require(Permission::SettingsWrite)?;
    // As a registration that is added: what numbers must look like depends on how many there are.
    tx.sql("SELECT only_row FROM billing_settings FOR UPDATE").run().await?;
    let old = setup::settings(tx).await?;
    if old.version != cmd.expected_version {
        return Err(Error::stale("expectedVersion"));
    }
    let new = changed(old.settings.clone(), cmd.clone())?;
    check(tx, &old.settings, &new).await?;
    write(tx, &new).await?;
    tx.audit("billingSettingsUpdate", tx.tenant().id().0, &cmd).await?;
    tx.emit(&BillingSettingsUpdated {
        version: old.version + 1,
        grace_days_changed: old.settings.grace_days != new.grace_days,
    })
    .await?;
    setup::settings(tx).await
}

/// As [`Patch::required`], for a value that does not come as it is kept.
fn given<T, U>(patch: Patch<T>, old: U, field: &str, checks: &mut Checks, parse: impl FnOnce(T) -> Result<U, String>) -> U {
    match patch.map(parse) {
        Patch::Set(Ok(new)) => new,
        Patch::Set(Err(why)) => {
            checks.add(ErrorCode::Invalid, field, why);
            old
        }
        Patch::Keep => old,
        Patch::Clear => Patch::<U>::Clear.required(old, field, checks),
    }
}

/// A number from 1 on, or none.
fn limit(patch: Patch<i32>, old: Option<u32>, field: &str, checks: &mut Checks, most: u32) -> Option<u32> {
    match patch {
        Patch::Clear => None,
        other => given(other.map(Some), old, field, checks, |n| {
            n.map(|n| in_range(n, 1, most)).transpose()
        }),
    }
}

fn in_range(n: i32, from: u32, to: u32) -> Result<u32, String> {
    let n = u32::try_from(n).ok().filter(|n| (from..=to).contains(n));
    n.ok_or_else(|| format!("Must be {from} to {to}."))
}

fn small<T: TryFrom<u8>>(n: i32, from: u32, to: u32) -> Result<T, String> {
    let n = in_range(n, from, to)?;
    let small = u8::try_from(n).ok().and_then(|n| T::try_from(n).ok());
    small.ok_or_else(|| format!("Must be {from} to {to}."))
}

fn pattern(text: String) -> Result<NumberPattern, String> {
    let text = text.trim();
    if text.chars().count() > 60 {
        return Err("Must have at most 60 characters.".into());
    }
    text.parse()
        .map_err(|e: super::rules::NumberingError| registrations::sentence(&e.to_string()))
}

fn changed(old: BillingSettings, cmd: UpdateSettings) -> Result<BillingSettings> {
    let mut all = Checks::new();
    let c = &mut all;
    let old_pattern = old.invoice_number_pattern.clone();
    let new = BillingSettings {
        anchor: cmd.anchor.required(old.anchor, "anchor", c),
        calendar_day: given(cmd.calendar_day, old.calendar_day, "calendarDay", c, |n| small(n, 1, 28)),
        activation: cmd.activation.required(old.activation, "activation", c),
        prepaid_renewal: cmd.prepaid_renewal.required(old.prepaid_renewal, "prepaidRenewal", c),
        renewal_lead_days: given(cmd.renewal_lead_days, old.renewal_lead_days, "renewalLeadDays", c, |n| {
            in_range(n, 0, 60)
        }),
        due_days: given(cmd.due_days, old.due_days, "dueDays", c, |n| in_range(n, 0, 365)),
        grace_days: given(cmd.grace_days, old.grace_days, "graceDays", c, |n| in_range(n, 0, 365)),
        terminate_after_days: limit(
            cmd.terminate_after_days,
            old.terminate_after_days,
            "terminateAfterDays",
            c,
            3650,
        ),
        late_fee: cmd.late_fee.or(old.late_fee),
        suspension_credit: cmd.suspension_credit.required(old.suspension_credit, "suspensionCredit", c),
        termination_credit: cmd
            .termination_credit
            .required(old.termination_credit, "terminationCredit", c),
        plan_change_document: cmd
            .plan_change_document
            .required(old.plan_change_document, "planChangeDocument", c),
        tax_level: cmd.tax_level.required(old.tax_level, "taxLevel", c),
        rounding_mode: cmd.rounding_mode.required(old.rounding_mode, "roundingMode", c),
        round_invoice_to: cmd.round_invoice_to.or(old.round_invoice_to),
        invoice_number_pattern: given(cmd.invoice_number_pattern, old_pattern, "invoiceNumberPattern", c, pattern),
        credit_note_number_pattern: given(
            cmd.credit_note_number_pattern,
            old.credit_note_number_pattern,
            "creditNoteNumberPattern",
            c,
            pattern,
        ),
        receipt_number_pattern: given(
            cmd.receipt_number_pattern,
            old.receipt_number_pattern,
            "receiptNumberPattern",
            c,
            pattern,
        ),
        debit_note_number_pattern: given(
            cmd.debit_note_number_pattern,
            old.debit_note_number_pattern,
            "debitNoteNumberPattern",
            c,
            pattern,
        ),
        fiscal_year_start_month: given(
            cmd.fiscal_year_start_month,
            old.fiscal_year_start_month,
            "fiscalYearStartMonth",
            c,
            |n| small(n, 1, 12),
        ),
        run_hour: given(cmd.run_hour, old.run_hour, "runHour", c, |n| in_range(n, 0, 23)),
        pauses: Pauses {
            by_subscriber: cmd
                .pause_by_subscriber
                .required(old.pauses.by_subscriber, "pauseBySubscriber", c),
            max_days: limit(cmd.pause_max_days, old.pauses.max_days, "pauseMaxDays", c, 366),
            max_per_year: limit(cmd.pause_max_per_year, old.pauses.max_per_year, "pauseMaxPerYear", c, 366),
            max_days_per_year: limit(
                cmd.pause_max_days_per_year,
                old.pauses.max_days_per_year,
                "pauseMaxDaysPerYear",
                c,
                366,
            ),
        },
        cut_nobody_before: old.cut_nobody_before,
        expire_nobody_before: old.expire_nobody_before,
    };
    all.done()?;
    Ok(new)
}

/// What depends on more than one value: the country's rule for numbers, the registrations, and the numbers given already.
async fn check(tx: &TenantTx, old: &BillingSettings, new: &BillingSettings) -> Result<()> {
    let mut checks = Checks::new();
    let currency = tx.tenant().currency();
    let amounts = [("lateFee", new.late_fee), ("roundInvoiceTo", new.round_invoice_to)];
    for (field, amount) in amounts.into_iter().filter_map(|(field, amount)| Some((field, amount?))) {
        match Money::new(amount, currency) {
            Ok(amount) => checks.ensure(amount.is_positive(), field, "Must be more than 0."),
            Err(e) => checks.add(ErrorCode::Invalid, field, registrations::sentence(&e.to_string())),
        }
        checks.ensure(
            amount <= Decimal::from(1_000_000),
            field,
            "Is larger than any such amount can be.",
        );
    }
    checks.ensure(
        !new.runs_too_late(),
        "runHour",
        "Must be 0 while renewalLeadDays and graceDays are 0: prepaid time that ends at midnight would be off until then.",
    );
    let rule = setup::number_rule(tx)?;
    let known = registrations::all(tx).await?;
    let codes = registrations::codes(tx, &known);
    // One that stays as it is need not name registrations before there is a debit note.
    let debit_notes = &new.debit_note_number_pattern;
    let unnamed_still = *debit_notes == old.debit_note_number_pattern && !debit_notes.names_registration();
    let patterns = [
        (
            "invoiceNumberPattern",
            numbers::INVOICES,
            &old.invoice_number_pattern,
            &new.invoice_number_pattern,
            codes.as_slice(),
        ),
        (
            "creditNoteNumberPattern",
            numbers::CREDIT_NOTES,
            &old.credit_note_number_pattern,
            &new.credit_note_number_pattern,
            codes.as_slice(),
        ),
        (
            "receiptNumberPattern",
            numbers::RECEIPTS,
            &old.receipt_number_pattern,
            &new.receipt_number_pattern,
            new.named_on_receipts(&codes),
        ),
        (
            "debitNoteNumberPattern",
            numbers::DEBIT_NOTES,
            &old.debit_note_number_pattern,
            &new.debit_note_number_pattern,
            if unnamed_still { &[] } else { codes.as_slice() },
        ),
    ];
    for (field, series, before, pattern, codes) in patterns {
        if let Err(e) = pattern.check(&rule, new.fiscal_year_start_month, codes) {
            checks.add(ErrorCode::Invalid, field, registrations::sentence(&e.to_string()));
            continue;
        }
        let same = before == pattern && old.fiscal_year_start_month == new.fiscal_year_start_month;
        let year = FiscalYear::of(tx.today(), new.fiscal_year_start_month);
        if !same && numbers::would_repeat(tx, series, pattern, year, codes).await? {
            checks.ensure(false, field, "Its next numbers have been given to other documents already.");
        }
    }
    apart(tx, old, new, &codes, &mut checks);
    checks.done()
}

/// No two series may come to give the same number. What stays as it is has been accepted before.
fn apart(tx: &TenantTx, old: &BillingSettings, new: &BillingSettings, codes: &[&str], checks: &mut Checks) {
    let year = FiscalYear::of(tx.today(), new.fiscal_year_start_month);
    let before = old.number_patterns();
    let anew = old.fiscal_year_start_month != new.fiscal_year_start_month;
    let changed = |pattern: &(&str, &NumberPattern)| anew || !before.contains(pattern);
    for (one, other) in new.meeting(year, codes) {
        let (named, beside) = if changed(&other) { (other, one) } else { (one, other) };
        if changed(&named) {
            let message = format!(
                "Its numbers could be those of `{}`: two documents would have one.",
                field_of(beside.0)
            );
            checks.add(ErrorCode::Invalid, &field_of(named.0), message);
        }
    }
}

/// As the API names it.
fn field_of(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(1);
        format!("{name}{}{tail}", head.to_uppercase())
    })
}

async fn write(tx: &TenantTx, s: &BillingSettings) -> Result<()> {
    let update = tx.sql(
        "UPDATE billing_settings SET anchor = $1, calendar_day = $2, activation = $3, prepaid_renewal = $4,
             renewal_lead_days = $5, due_days = $6, grace_days = $7, terminate_after_days = $8, late_fee = $9,
             suspension_credit = $10, termination_credit = $11, plan_change_document = $12, tax_level = $13,
             rounding_mode = $14, round_invoice_to = $15, invoice_number_pattern = $16, credit_note_number_pattern = $17,
             fiscal_year_start_month = $18, receipt_number_pattern = $19, debit_note_number_pattern = $20, run_hour = $21,
             pause_by_subscriber = $22, pause_max_days = $23, pause_max_per_year = $24, pause_max_days_per_year = $25,
             version = version + 1",
    );
    setup::bind(update, s)?.run().await?;
    Ok(())
}
