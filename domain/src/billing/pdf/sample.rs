//! Documents that a template is tried with before it is accepted.

use super::content::seller;
use super::data::{Content, Corrected, Document, DocumentKind, Files};
use super::pack;
use crate::billing::entity::InvoiceStatus;
use crate::billing::registrations;
use crate::branding;
use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;

/// The starter pack's sample as this ISP would issue it, one that lacks whatever an invoice may lack, and a credit note.
pub async fn samples(tx: &TenantTx) -> Result<[Content; 3]> {
    let document: Document = serde_json::from_str(pack(tx)?.sample())?;
    let registration = registrations::all(tx).await?.into_iter().next();
    let branding = branding::get(tx).await?;
    let full = Content {
        seller: seller(branding, tx.tenant().country(), registration.map(|r| (r.tax_id, r.region))),
        document,
        files: Files::default(),
    };
    Ok([full.clone(), bare(full.clone()), credit_note(full)])
}

fn credit_note(mut content: Content) -> Content {
    let (invoice, totals) = (&mut content.document.invoice, &mut content.document.totals);
    content.document.kind = DocumentKind::CreditNote;
    content.document.corrects = Some(Corrected {
        number: invoice.number.clone(),
        issued_on: invoice.issued_on,
        reason: "Days without service".into(),
    });
    (invoice.status, invoice.due_on) = (InvoiceStatus::Issued, None);
    for settled in [&mut totals.amount_paid, &mut totals.amount_credited, &mut totals.amount_due] {
        *settled = "0".into();
    }
    content
}

fn bare(mut content: Content) -> Content {
    let (seller, document) = (&mut content.seller, &mut content.document);
    seller.address.clear();
    (seller.email, seller.phone, seller.upi_id, seller.tax_id, seller.region) = (None, None, None, None, None);
    let buyer = &mut document.buyer;
    buyer.address.clear();
    buyer.country.clear();
    (buyer.region, buyer.tax_id, buyer.email, buyer.phone) = (None, None, None, None);
    document.place_of_supply = None;
    document.taxes.clear();
    document.lines.iter_mut().for_each(|line| {
        line.taxes.clear();
        line.tax_code = None;
    });
    document.notes.clear();
    content
}
