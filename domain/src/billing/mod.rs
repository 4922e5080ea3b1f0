//! Billing: how an ISP bills, its tax registrations, and its invoices with their lines, taxes and numbers.
//!
//! - An invoice, once issued, is immutable but for what has been paid and credited on it. Lines and taxes are append-only.
//! - A number comes from a series locked last in the transaction: numbers have no gaps, whatever is refused or rolled back.
//! - `coverage` holds which charge of which service covers which time; its exclusion constraint makes double billing
//!   impossible.
//! - Credit notes never exceed what is left of their invoice, per line and tax; a CHECK keeps their sum below its total.
//! - What an invoice or a credit note does to money is one ledger entry in the same transaction; its total is what it debits the payer.
//!
//! Owns `billing_settings`, `invoice_template`, `tax_rule_set`, `tax_registration`, `number_series`, `invoice`,
//! `invoice_line`, `invoice_tax`, `coverage`, `credit_application`, `credit_note`, `credit_note_line`, `credit_note_tax`,
//! `opening_balance`, `write_off`, `receipt`, `seller`, `credit_note_party`, `withholding` and
//! `invoice_draft`.

mod coverage;
mod credit;
pub mod credit_notes;
mod debit_note;
mod documents;
mod drafts;
pub mod entity;
pub mod events;
mod extras;
mod issue;
mod issuing;
mod late_fee;
mod lines;
mod manual;
mod numbers;
mod opening;
mod parties;
mod payment;
pub mod pdf;
mod plain;
mod queries;
mod receipts;
mod registrations;
pub mod rules;
mod setup;
mod update_settings;
mod void;
mod withholding;
mod write;
mod write_off;

pub use coverage::{
    Covered, charged_through, covered, covered_of, first_invoice_of, has_difference, last_gap, move_coverage, part_at,
    shift_coverage,
};
pub use credit::{consume_again, settle_from_credit, undo_credit};
pub use debit_note::{DebitLine, IssueDebitNote, debit_note_issue};
pub use documents::{Document, documents_since};
pub use drafts::{
    CreateInvoiceDraft, InvoiceDraft, IssueInvoiceDraft, UpdateInvoiceDraft, count_drafts, draft_by_id, drafts,
    invoice_draft_create, invoice_draft_discard, invoice_draft_issue, invoice_draft_update, preview_draft,
};
pub use entity::{
    Invoice, InvoiceKind, InvoiceLine, InvoiceLineKind, InvoiceStatus, InvoiceTax, Settings, TaxRegistration, sum_taxes,
};
pub use extras::{AddonCharge, OfService};
pub use issue::{NewInvoice, covered_by_credit, issue, would_be_covered};
pub use issuing::{Issued, Issuing};
pub use late_fee::charge_late_fees;
pub use lines::{LateFee, NewLine, OneTimeCharge, ServiceCharge};
pub use manual::{Draft, IssueInvoice, ManualLine, issue_manual, preview_manual};
pub use opening::{OpeningBalance, RecordOpeningBalance, opening_balance_record};
pub use payment::{apply_payment, open_invoices, unapply_payment};
pub use plain::{PlainInvoice, issue_plain};
pub use queries::{
    InvoiceFilter, InvoiceKey, by_ids, count, debit_notes_of, find, get, get_if_any, has_arrears, lines_of, list, made_by,
    taxes_of,
};
pub use receipts::{Receipt, issue_receipt, receipts_of};
pub use registrations::{AddTaxRegistration, sentence, tax_registration_add, tax_registrations};
pub use setup::{adopt, adopt_newer_rules, settings, settings_view, tax_rules};
pub use update_settings::{UpdateSettings, settings_update};
pub use void::{PlanTime, parties, plan_time_of, void};
pub use withholding::{RecordWithholding, ReverseWithholding, withholding_record, withholding_reverse};
pub use write_off::{ReverseWriteOff, WriteOffInvoice, invoice_write_off, invoice_write_off_reverse, reclaim_for_payment};
