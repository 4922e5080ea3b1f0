//! Money received. Owns `payment` and `payment_allocation`.
//!
//! - A payment settles open invoices of the subscriber that paid; what no invoice takes is that subscriber's credit in hand.
//! - Payment, allocations, the invoices' settlement and the ledger entry are one transaction under the subscriber's lock.
//! - A payment is never changed but for its reversal, which happens at most once and mirrors what it booked.

pub mod entity;
pub mod events;
mod queries;
mod receipt;
mod record;
mod refunded;
mod reverse;
mod rules;

pub use entity::{Allocation, Payment, PaymentMethod, PaymentStatus};
pub use queries::{PaymentKey, allocations_of, by_ids, count, find, get, list, unmatched};
pub use receipt::{ReceiptStatus, receipt_printable};
pub use record::{RecordPayment, record};
pub use refunded::{mark_refunded, refundable};
pub use reverse::{ReversePayment, reverse};
pub use rules::amount as checked_amount;
