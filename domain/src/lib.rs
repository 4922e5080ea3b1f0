//! Trunkline's rules and use cases. It knows PostgreSQL and the clock; it knows no HTTP and no GraphQL.
//!
//! Modules stand in lines. Each may use the lines above it, never its own line or one below
//! (`tests/src/tidy.rs` reads the `use` lines); effects on later modules are events.

pub mod kernel;

pub mod identity;
pub mod jobs;
pub mod tenants;

pub mod branding;
pub mod network;
pub mod plans;
pub mod subscribers;

pub mod audit;
pub mod ledger;
pub mod services;

pub mod addons;
pub mod discounts;

pub mod billing;
pub mod radius;

pub mod payments;

pub mod books;
pub mod credits;

pub mod dunning;

/// Work that crosses capabilities.
pub mod runs;

pub use kernel::{Actor, Clock, Error, Permission, Result};

/// Every event handler and job of the product.
pub fn registry() -> jobs::Registry {
    jobs::Registry::default()
        .on_in_parts("settlement.invoice_paid", |db, event| {
            Box::pin(async move { runs::settlement::invoice_paid(&db, event).await })
        })
        .on_in_parts("settlement.invoice_reopened", |db, event| {
            Box::pin(async move { runs::settlement::invoice_reopened(&db, event).await })
        })
        .on_in_parts("settlement.invoice_voided", |db, event| {
            Box::pin(async move { runs::settlement::invoice_voided(&db, event).await })
        })
        .on_in_parts("settlement.payment_recorded", |db, event| {
            Box::pin(async move { runs::settlement::payment_recorded(&db, event).await })
        })
        .on_in_parts("settlement.credit_note_issued", |db, event| {
            Box::pin(async move { runs::settlement::credit_note_issued(&db, event).await })
        })
        .on_in_parts("settlement.credit_transferred", |db, event| {
            Box::pin(async move { runs::settlement::credit_transferred(&db, event).await })
        })
        .on_in_parts("settlement.opening_balance_recorded", |db, event| {
            Box::pin(async move { runs::settlement::opening_balance_recorded(&db, event).await })
        })
        .on_in_parts("settlement.invoice_written_off", |db, event| {
            Box::pin(async move { runs::settlement::invoice_written_off(&db, event).await })
        })
        .on_in_parts("settlement.deposit_returned", |db, event| {
            Box::pin(async move { runs::settlement::deposit_returned(&db, event).await })
        })
        .on("credits.service_terminated", |tx, event| {
            Box::pin(runs::settlement::service_terminated(tx, event))
        })
        .on("settlement.settings_updated", |tx, event| {
            Box::pin(runs::settlement::settings_updated(tx, event))
        })
        .job(|db, _: identity::PurgeSessions| Box::pin(async move { identity::purge_sessions(&db).await }))
        .job(|db, job: runs::RefreshServices| Box::pin(async move { runs::refresh_services(&db, job).await }))
        .job(|db, job: runs::billing_run::RenewDue| Box::pin(async move { runs::billing_run::renew_due(&db, job).await }))
        .job(|db, job: runs::billing_run::RunPart| Box::pin(async move { runs::billing_run::run_part(&db, job).await }))
        .unheard::<runs::billing_run::BillingRunStarted>()
        .unheard::<runs::billing_run::BillingRunFinished>()
        .unheard::<identity::PasswordResetRequested>()
        .unheard::<identity::events::RoleCreated>()
        .unheard::<identity::events::RoleUpdated>()
        .unheard::<identity::events::RoleDeleted>()
        .unheard::<identity::events::StaffUpdated>()
        .unheard::<identity::events::StaffDisabled>()
        .unheard::<identity::events::StaffEnabled>()
        .unheard::<identity::events::StaffLinked>()
        .unheard::<identity::events::StaffUnlinked>()
        .unheard::<identity::events::StaffEntered>()
        .unheard::<identity::events::StaffInvited>()
        .unheard::<identity::events::StaffInvitationAccepted>()
        .unheard::<identity::events::StaffInvitationRevoked>()
        .unheard::<plans::PlanCreated>()
        .unheard::<plans::PlanUpdated>()
        .unheard::<plans::PlanVersionWithdrawn>()
        .unheard::<plans::PlanRetired>()
        .unheard::<subscribers::SubscriberCreated>()
        .unheard::<subscribers::SubscriberUpdated>()
        .unheard::<addons::AddonCreated>()
        .unheard::<addons::AddonUpdated>()
        .unheard::<addons::AddonRetired>()
        .unheard::<discounts::CouponCreated>()
        .unheard::<discounts::CouponDisabled>()
        .unheard::<billing::events::TaxRegistrationAdded>()
        .unheard::<billing::events::InvoiceTemplateUpdated>()
        .unheard::<billing::events::InvoiceDraftCreated>()
        .unheard::<billing::events::InvoiceDraftUpdated>()
        .unheard::<billing::events::InvoiceDraftDiscarded>()
        .unheard::<billing::events::InvoiceWriteOffReversed>()
        .unheard::<dunning::events::DunningSettingsUpdated>()
        .unheard::<services::ServiceChangePlanned>()
        .unheard::<services::ServiceChangeCancelled>()
        .unheard::<services::ServiceEndPlanned>()
        .unheard::<services::ServiceEndCancelled>()
        .unheard::<services::ServiceVersionKept>()
        .unheard::<billing::events::InvoiceIssued>()
        .unheard::<payments::events::PaymentReversed>()
        .unheard::<discounts::CouponRedeemed>()
        .unheard::<discounts::DiscountAdded>()
        .unheard::<discounts::DiscountEnded>()
        .unheard::<addons::ServiceAddonAdded>()
        .unheard::<addons::ServiceAddonEnded>()
        .unheard::<addons::OneTimeChargeAdded>()
        .unheard::<addons::OneTimeChargeCancelled>()
        .unheard::<billing::events::WithholdingRecorded>()
        .unheard::<billing::events::WithholdingReversed>()
        .unheard::<ledger::LedgerPeriodChanged>()
        .unheard::<billing::events::DebitNoteIssued>()
        .unheard::<credits::events::CreditRefunded>()
        .unheard::<credits::events::DepositCharged>()
        .unheard::<services::ServiceActivated>()
        .unheard::<services::ServiceSuspended>()
        .unheard::<services::ServiceResumed>()
        .unheard::<services::ServicePlanChanged>()
        .unheard::<services::ServiceAddressChanged>()
        .unheard::<services::ServicePauseAsked>()
        .unheard::<services::ServicePauseCancelled>()
        .unheard::<dunning::events::InvoiceReminderDue>()
        .unheard::<dunning::events::PromiseMade>()
        .unheard::<dunning::events::PromiseKept>()
        .unheard::<dunning::events::PromiseBroken>()
        .unheard::<dunning::events::PromiseCancelled>()
        .unheard::<dunning::events::DunningBraked>()
        .unheard::<dunning::events::DunningBrakeEnded>()
        .unheard::<dunning::events::CollectionHeld>()
        .unheard::<dunning::events::CollectionHoldReleased>()
        .job(|db, job: runs::DunDue| Box::pin(async move { runs::dun(&db, job).await }))
        .job(|db, job: runs::CutDue| Box::pin(async move { runs::cut_due(&db, job).await }))
        .job(|db, _: jobs::ForgetKeys| Box::pin(async move { jobs::forget_keys(&db).await }))
        .job(|db, job: runs::RefreshService| Box::pin(async move { runs::refresh_service(&db, job).await }))
}

/// Jobs that every open ISP has once a day, on its own calendar.
pub const DAILY_JOBS: &[&str] = &[
    <runs::billing_run::RenewDue as kernel::event::Job>::KIND,
    <runs::DunDue as kernel::event::Job>::KIND,
    <identity::PurgeSessions as kernel::event::Job>::KIND,
    <jobs::ForgetKeys as kernel::event::Job>::KIND,
];

/// Every column that holds sealed secrets: what follows a change of the secret key.
pub fn sealed_columns() -> Vec<kernel::sealed::SealedColumn> {
    let mut all = vec![kernel::sealed::LOGINS];
    all.extend_from_slice(identity::SEALED);
    all
}
