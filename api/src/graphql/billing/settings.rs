use async_graphql::{Enum, ID, InputObject, MaybeUndefined, Object};
use trunkline_domain::billing::{self, AddTaxRegistration, UpdateSettings, rules};
use trunkline_domain::kernel::money;

use crate::graphql::error::payload;
use crate::graphql::ids;
use crate::graphql::scalars::{Decimal, patch};

/// When periods begin.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "rules::AnchorKind")]
pub enum BillingAnchor {
    /// From each service's own start.
    Anniversary,
    /// All services on one day of the month; the first period is prorated.
    Calendar,
}

/// When a new service goes on line.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "rules::ActivationPolicy")]
pub enum ActivationPolicy {
    /// At once; its first invoice is then due.
    OnCreate,
    /// When its first invoice is paid.
    OnPayment,
}

/// How prepaid services go on.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "rules::PrepaidRenewal")]
pub enum PrepaidRenewal {
    /// Invoiced on its day, credit in hand consumed, the rest due.
    Invoice,
    /// Renewed only when credit in hand covers it; else it expires.
    WhenCovered,
}

/// What time spent suspended is worth.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "rules::SuspensionCredit")]
pub enum SuspensionCredit {
    /// Nothing.
    None,
    /// The days are credited.
    CreditDays,
    /// The period ends as much later.
    ShiftPeriod,
}

/// What a subscriber who leaves gets back.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "rules::TerminationCredit")]
pub enum TerminationCredit {
    /// Nothing.
    None,
    /// The days that were paid for and not used.
    UnusedDays,
}

/// What a change of plan within a period leaves in the books.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "rules::PlanChangeDocument")]
pub enum PlanChangeDocument {
    /// A credit note for what is unused and an invoice for the new plan.
    CreditNoteAndInvoice,
    /// One invoice or credit note over the difference, where all that is charged stands at the price of the plan that is left; else
    /// as CREDIT_NOTE_AND_INVOICE.
    Difference,
}

/// Where tax is rounded.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "rules::TaxLevel")]
pub enum TaxLevel {
    /// On each line.
    Line,
    /// On the invoice's total.
    Invoice,
}

/// How amounts are rounded to the currency's scale.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "money::RoundingMode")]
pub enum RoundingMode {
    /// A half goes away from zero.
    HalfUp,
    /// A half goes to the even neighbour.
    HalfEven,
}

/// How this ISP bills. The template sets it; changes count from the next document or period on.
pub struct BillingSettings(pub billing::Settings);

/// How this ISP bills. The template sets it; changes count from the next document or period on.
#[Object]
impl BillingSettings {
    /// When periods begin.
    async fn anchor(&self) -> BillingAnchor {
        self.0.settings.anchor.into()
    }

    /// 1 to 28; with CALENDAR, the day on which periods begin.
    async fn calendar_day(&self) -> i32 {
        u8::from(self.0.settings.calendar_day).into()
    }

    /// When new services go on line.
    async fn activation(&self) -> ActivationPolicy {
        self.0.settings.activation.into()
    }

    /// How prepaid services go on.
    async fn prepaid_renewal(&self) -> PrepaidRenewal {
        self.0.settings.prepaid_renewal.into()
    }

    /// The full hour of this ISP's own clock at which its daily run begins, which charges, cuts and reminds: 0 to 23.
    async fn run_hour(&self) -> i32 {
        days(self.0.settings.run_hour)
    }

    /// Whether subscribers may pause services of their own; staff may anyway.
    async fn pause_by_subscriber(&self) -> bool {
        self.0.settings.pauses.by_subscriber
    }

    /// Most days in a pause that a subscriber asks for; null = no such limit.
    async fn pause_max_days(&self) -> Option<i32> {
        self.0.settings.pauses.max_days.map(days)
    }

    /// Most pauses that a subscriber may ask for of a service in a calendar year; null = no such limit.
    async fn pause_max_per_year(&self) -> Option<i32> {
        self.0.settings.pauses.max_per_year.map(days)
    }

    /// Most days of all pauses of a service that begin in a calendar year, for a subscriber who asks; null = no such limit.
    async fn pause_max_days_per_year(&self) -> Option<i32> {
        self.0.settings.pauses.max_days_per_year.map(days)
    }

    /// Renewals are invoiced that many days before the period begins.
    async fn renewal_lead_days(&self) -> i32 {
        days(self.0.settings.renewal_lead_days)
    }

    /// Days from issue to due, postpaid.
    async fn due_days(&self) -> i32 {
        days(self.0.settings.due_days)
    }

    /// Days of service after the due date (postpaid) or the end of the paid period (prepaid). Then SUSPENDED, and not
    /// renewed until paid.
    async fn grace_days(&self) -> i32 {
        days(self.0.settings.grace_days)
    }

    /// Days in SUSPENDED after which the service is terminated; null = never.
    async fn terminate_after_days(&self) -> Option<i32> {
        self.0.settings.terminate_after_days.map(days)
    }

    /// What an overdue invoice costs; null = nothing.
    async fn late_fee(&self) -> Option<Decimal> {
        self.0.settings.late_fee.map(Decimal)
    }

    /// What becomes of the days spent suspended.
    async fn suspension_credit(&self) -> SuspensionCredit {
        self.0.settings.suspension_credit.into()
    }

    /// What a subscriber who leaves gets back.
    async fn termination_credit(&self) -> TerminationCredit {
        self.0.settings.termination_credit.into()
    }

    /// What a change of plan within a period leaves in the books.
    async fn plan_change_document(&self) -> PlanChangeDocument {
        self.0.settings.plan_change_document.into()
    }

    /// Where tax is rounded.
    async fn tax_level(&self) -> TaxLevel {
        self.0.settings.tax_level.into()
    }

    /// How amounts are rounded to the currency's scale.
    async fn rounding_mode(&self) -> RoundingMode {
        self.0.settings.rounding_mode.into()
    }

    /// Invoice totals are rounded to a multiple of this, e.g. "1"; null = no rounding.
    async fn round_invoice_to(&self) -> Option<Decimal> {
        self.0.settings.round_invoice_to.map(Decimal)
    }

    /// Of {FY} (26-27), {YYYY}, {REG} (the registration's short code, required once there are two) and {SEQ:n}; e.g.
    /// "INV/{FY}/{SEQ:6}".
    async fn invoice_number_pattern(&self) -> String {
        self.0.settings.invoice_number_pattern.to_string()
    }

    /// The pattern of credit notes' numbers, as `invoiceNumberPattern`.
    async fn credit_note_number_pattern(&self) -> String {
        self.0.settings.credit_note_number_pattern.to_string()
    }

    /// As `invoiceNumberPattern`, of receipts; {REG} may be left out, and one series counts over all registrations then.
    async fn receipt_number_pattern(&self) -> String {
        self.0.settings.receipt_number_pattern.to_string()
    }

    /// The pattern of debit notes' numbers, as `invoiceNumberPattern`.
    async fn debit_note_number_pattern(&self) -> String {
        self.0.settings.debit_note_number_pattern.to_string()
    }

    /// Month in which numbering starts anew, 1 to 12.
    async fn fiscal_year_start_month(&self) -> i32 {
        u8::from(self.0.settings.fiscal_year_start_month).into()
    }

    /// Counts changes.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

fn days(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

impl From<billing::Settings> for BillingSettings {
    fn from(settings: billing::Settings) -> Self {
        Self(settings)
    }
}

/// An absent field stays as it is; null clears `terminateAfterDays`, `lateFee` and `roundInvoiceTo`. A changed anchor counts
/// from each service's next charge, which is prorated; days of grace count at once; everything else from the next document.
#[derive(InputObject)]
pub struct BillingSettingsUpdateInput {
    /// The version that was read; another one is STALE_VERSION.
    expected_version: i32,
    /// When periods begin.
    anchor: MaybeUndefined<BillingAnchor>,
    /// 1 to 28.
    calendar_day: MaybeUndefined<i32>,
    /// When new services go on line.
    activation: MaybeUndefined<ActivationPolicy>,
    /// How prepaid services go on.
    prepaid_renewal: MaybeUndefined<PrepaidRenewal>,
    /// 0 to 60.
    renewal_lead_days: MaybeUndefined<i32>,
    /// 0 to 365.
    due_days: MaybeUndefined<i32>,
    /// 0 to 365; counts at once, also for what is unpaid now.
    grace_days: MaybeUndefined<i32>,
    /// 1 to 3650; null: never.
    terminate_after_days: MaybeUndefined<i32>,
    /// Tax excluded; null: none.
    late_fee: MaybeUndefined<Decimal>,
    /// What becomes of the days spent suspended.
    suspension_credit: MaybeUndefined<SuspensionCredit>,
    /// What a subscriber who leaves gets back.
    termination_credit: MaybeUndefined<TerminationCredit>,
    /// What a change of plan within a period leaves in the books.
    plan_change_document: MaybeUndefined<PlanChangeDocument>,
    /// Where tax is rounded.
    tax_level: MaybeUndefined<TaxLevel>,
    /// How amounts are rounded to the currency's scale.
    rounding_mode: MaybeUndefined<RoundingMode>,
    /// Null: totals are not rounded.
    round_invoice_to: MaybeUndefined<Decimal>,
    /// Must fit the country's rule for document numbers up to the last number of a year, and not repeat numbers given.
    invoice_number_pattern: MaybeUndefined<String>,
    /// As `invoiceNumberPattern`, and another one.
    credit_note_number_pattern: MaybeUndefined<String>,
    /// As `invoiceNumberPattern`, of receipts; {REG} may be left out.
    receipt_number_pattern: MaybeUndefined<String>,
    /// As `invoiceNumberPattern`, and another one; with more than one registration debit notes need {REG} in it.
    debit_note_number_pattern: MaybeUndefined<String>,
    /// 1 to 12.
    fiscal_year_start_month: MaybeUndefined<i32>,
    /// 0 to 23; other than 0 only with days of grace or renewals ahead of their time. Counts from tomorrow on at the latest.
    run_hour: MaybeUndefined<i32>,
    /// Whether subscribers may pause services of their own.
    pause_by_subscriber: MaybeUndefined<bool>,
    /// 1 to 366; null: a pause may last as long as its subscriber likes.
    pause_max_days: MaybeUndefined<i32>,
    /// 1 to 366; null: as many as they like.
    pause_max_per_year: MaybeUndefined<i32>,
    /// 1 to 366; null: as many as they like.
    pause_max_days_per_year: MaybeUndefined<i32>,
}

impl From<BillingSettingsUpdateInput> for UpdateSettings {
    fn from(input: BillingSettingsUpdateInput) -> Self {
        Self {
            expected_version: input.expected_version,
            anchor: patch(input.anchor, Into::into),
            calendar_day: patch(input.calendar_day, |v| v),
            activation: patch(input.activation, Into::into),
            prepaid_renewal: patch(input.prepaid_renewal, Into::into),
            renewal_lead_days: patch(input.renewal_lead_days, |v| v),
            due_days: patch(input.due_days, |v| v),
            grace_days: patch(input.grace_days, |v| v),
            terminate_after_days: patch(input.terminate_after_days, |v| v),
            late_fee: patch(input.late_fee, |v| v.0),
            suspension_credit: patch(input.suspension_credit, Into::into),
            termination_credit: patch(input.termination_credit, Into::into),
            plan_change_document: patch(input.plan_change_document, Into::into),
            tax_level: patch(input.tax_level, Into::into),
            rounding_mode: patch(input.rounding_mode, Into::into),
            round_invoice_to: patch(input.round_invoice_to, |v| v.0),
            invoice_number_pattern: patch(input.invoice_number_pattern, |v| v),
            credit_note_number_pattern: patch(input.credit_note_number_pattern, |v| v),
            receipt_number_pattern: patch(input.receipt_number_pattern, |v| v),
            debit_note_number_pattern: patch(input.debit_note_number_pattern, |v| v),
            fiscal_year_start_month: patch(input.fiscal_year_start_month, |v| v),
            run_hour: patch(input.run_hour, |v| v),
            pause_by_subscriber: patch(input.pause_by_subscriber, |v| v),
            pause_max_days: patch(input.pause_max_days, |v| v),
            pause_max_per_year: patch(input.pause_max_per_year, |v| v),
            pause_max_days_per_year: patch(input.pause_max_days_per_year, |v| v),
        }
    }
}

payload!(BillingSettingsUpdatePayload {
    settings: BillingSettings
});

/// A registration of this ISP with a tax authority; in India one per state.
pub struct TaxRegistration(pub billing::TaxRegistration);

impl From<billing::TaxRegistration> for TaxRegistration {
    fn from(registration: billing::TaxRegistration) -> Self {
        Self(registration)
    }
}

/// A registration of this ISP with a tax authority; in India one per state.
#[Object]
impl TaxRegistration {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// ISO 3166-1 alpha-2.
    async fn country(&self) -> &str {
        &self.0.country
    }

    /// ISO 3166-2 subdivision without the country, e.g. "KA".
    async fn region(&self) -> Option<&str> {
        self.0.region.as_deref()
    }

    /// The registration's number, such as a GSTIN.
    async fn tax_id(&self) -> &str {
        &self.0.tax_id
    }
}

/// Where the ISP is registered.
#[derive(InputObject)]
pub struct TaxRegistrationAddInput {
    /// ISO 3166-1 alpha-2; the ISP's own.
    country: String,
    /// ISO 3166-2 subdivision without the country; default: the one that the tax id names.
    region: Option<String>,
    /// The registration's number, such as a GSTIN.
    tax_id: String,
}

impl From<TaxRegistrationAddInput> for AddTaxRegistration {
    fn from(input: TaxRegistrationAddInput) -> Self {
        Self {
            country: input.country,
            region: input.region,
            tax_id: input.tax_id,
        }
    }
}

payload!(TaxRegistrationAddPayload {
    registration: TaxRegistration
});
