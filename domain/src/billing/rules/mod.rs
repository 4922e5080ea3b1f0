//! Billing's pure rules: periods, proration, taxes, invoice arithmetic, numbering, allocation, tax ids.
//!
//! Invariants: no clock, no database, no binary floats; every rounding is a named [`Step`]; a line's
//! [`Explanation`] holds all it was computed from, and [`replay`] computes the same line from it again.
//! What differs between countries is data (`tenant-templates/`), never a branch here.

mod allocation;
mod credit;
mod invoice_math;
mod numbering;
mod periods;
mod proration;
mod settings;
mod steps;
mod tax;
mod tax_id;
mod tax_rules;

#[cfg(test)]
mod golden_tests;

pub use allocation::{Allocated, AllocationError, OpenInvoice, allocate};
pub use credit::{
    CreditError, CreditExplanation, CreditedLine, LineAmounts, LineCredit, credit_line, in_proportion, replay_credit,
};
pub use invoice_math::{
    AgreedDiscount, Charge, ComputedInvoice, ComputedLine, Discount, DraftLine, Explanation, InvoicePolicy, InvoiceTotals,
    LineError, PlanVersionRef, TakenOff, compute_invoice, replay,
};
pub use numbering::{FiscalYear, NumberPattern, NumberRule, NumberingError, StartMonth};
pub use periods::{BillingAnchor, BillingPeriod, CalendarDay, DayShare, PeriodError, Schedule};
pub use proration::prorate;
pub use settings::{
    ActivationPolicy, AnchorKind, BillingPack, BillingSettings, Pauses, PlanChangeDocument, PrepaidRenewal, SettingsError,
    SuspensionCredit, TerminationCredit,
};
pub use steps::{Step, Steps};
pub use tax::{AppliedTax, CarriedBase, TaxAmount, TaxLevel, TaxPool, TaxTreatment, Taxed, aggregate};
pub use tax_id::{TaxIdError, TaxIdValidator, ValidTaxId};
pub use tax_rules::{
    BuyerClass, InclusiveMethod, Place, Registration, RegistrationRule, RuleSetData, RuleSetError, SupplyScope, TaxCode,
    TaxComponent, TaxError, TaxFacts, TaxRate, TaxRuleSet, VoidRule,
};

pub use crate::kernel::calendar::{Interval, IntervalUnit};
