use chrono::NaiveDate;

use super::issuing::{Issued, Issuing};
use super::lines::NewLine;
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;
use crate::kernel::ids::{InvoiceId, SubscriberId};

/// An invoice to be issued today.
#[derive(Clone, Debug)]
pub struct NewInvoice {
    pub id: InvoiceId,
    /// Whom it is for; it goes to whoever pays for that subscriber, unless it was decided before to whom (a late fee).
    pub subscriber_id: SubscriberId,
    pub due_on: NaiveDate,
    pub lines: Vec<NewLine>,
}

impl NewInvoice {
    /// Whether it charges nothing but a postpaid service's time and what goes with it.
    pub(super) fn is_postpaid(&self) -> bool {
        let mut lines = self.lines.iter();
        lines.clone().any(NewLine::is_postpaid_time) && lines.all(|line| line.is_postpaid_time() || line.is_addon())
    }

    /// Everyone whom it names.
    pub(super) fn subscribers(&self) -> Vec<SubscriberId> {
        let of_lines = self.lines.iter().filter_map(NewLine::subscriber);
        of_lines.chain([self.subscriber_id]).collect()
    }
}

/// Issues an invoice: computes it, covers its periods, books it, lets it consume credit in hand and numbers it. One that
/// comes to nothing, or that credit settles, is paid at once. CONFLICT when some period has been invoiced before.
///
/// It needs no permission of its own: the use case that issues has asked for one.
pub async fn issue(tx: &TenantTx, new: NewInvoice) -> Result<Issued> {
    let mut issuing = Issuing::prepare(tx, &new.subscribers()).await?;
    let issued = issuing.add(tx, new)?;
    issuing.write(tx).await?;
    Ok(issued)
}

/// Whether the payer's credit in hand would settle it whole. Nothing is written, and no number taken.
pub async fn covered_by_credit(tx: &TenantTx, new: &NewInvoice) -> Result<bool> {
    Issuing::prepare(tx, &new.subscribers()).await?.covered_by_credit(tx, new)
}

/// As [`covered_by_credit`], as things stand: who pays is not locked.
pub async fn would_be_covered(tx: &TenantTx, new: &NewInvoice) -> Result<bool> {
    Issuing::look(tx, &new.subscribers()).await?.covered_by_credit(tx, new)
}
