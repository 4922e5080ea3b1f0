use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::data::{Buyer, Content, Corrected, Document, DocumentKind, Files, Head, Line, Seller, Tax, Totals};
use super::{Sheet, UPI_FILE, upi};
use crate::billing::credit_notes::{self, CreditNote};
use crate::billing::entity::{Invoice, InvoiceLine, InvoiceStatus, InvoiceTax, sum_taxes};
use crate::billing::parties::{self, Parties};
use crate::billing::queries;
use crate::billing::rules::{CreditExplanation, Explanation, TaxAmount, TaxTreatment};
use crate::branding::Branding;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{SubscriberId, TaxRegistrationId};
use crate::kernel::money::{Currency, Money};
use crate::subscribers::{self, Subscriber};

impl Content {
    /// Laid out by `template`.
    pub fn sheet(&self, template: &str) -> Result<Sheet> {
        let link = upi::link(self);
        let files = Files {
            upi: link.is_some().then_some(UPI_FILE),
            ..self.files
        };
        let data = serde_json::to_vec(&Self { files, ..self.clone() })?;
        let mut sheet = Sheet::of(template, data);
        if let Some(link) = link {
            sheet.files.push((UPI_FILE, upi::svg(&link)?.into_bytes()));
        }
        Ok(sheet)
    }
}

/// Everything about an invoice that the actor may see.
pub async fn of_invoice(tx: &TenantTx, invoice: Invoice) -> Result<Content> {
    let lines = queries::lines_of(tx, &[invoice.id]).await?;
    let kind = DocumentKind::from(invoice.kind);
    let explained = |line: &InvoiceLine| {
        let explanation = || serde_json::from_value::<Explanation>(line.explanation.clone());
        Ok(match kind.is_of_supply() {
            true => Some(explanation()?.line.treatment),
            false => None,
        })
    };
    let currency: Currency = invoice.currency.parse().map_err(Error::internal)?;
    let added_to = queries::get_if_any(tx, invoice.refers_to_id).await?;
    let adds_to = added_to.map(|other| Corrected {
        number: other.number,
        issued_on: other.issued_on,
        reason: invoice.reason.clone().unwrap_or_default(),
    });
    let printed = Printed {
        kind,
        head: Head {
            number: invoice.number.clone(),
            status: invoice.status,
            issued_on: invoice.issued_on,
            due_on: invoice.due_on,
            currency,
        },
        corrects: None,
        adds_to,
        treatments: lines.iter().map(explained).collect::<Result<_>>()?,
        taxes: queries::taxes_of(tx, &[invoice.id]).await?,
        totals: totals(&invoice, currency)?,
        lines,
    };
    let kept = parties::of_invoice(tx, invoice.id).await?;
    content(tx, printed, kept, invoice.subscriber_id, invoice.registration_id).await
}

/// Everything about a credit note that the actor may see.
pub async fn of_credit_note(tx: &TenantTx, note: CreditNote) -> Result<Content> {
    let invoice = queries::get(tx, note.invoice_id).await?;
    let lines = credit_notes::lines_of(tx, &[note.id]).await?;
    let lines: Vec<InvoiceLine> = lines.into_iter().map(|line| line.line).collect();
    let explained = |line: &InvoiceLine| {
        let explanation: CreditExplanation = serde_json::from_value(line.explanation.clone())?;
        Ok(Some(explanation.of.line.treatment))
    };
    let taxes = credit_notes::taxes_of(tx, &[note.id]).await?;
    let currency: Currency = note.currency.parse().map_err(Error::internal)?;
    let printed = Printed {
        kind: DocumentKind::CreditNote,
        head: Head {
            number: Some(note.number.clone()),
            status: InvoiceStatus::Issued,
            issued_on: Some(note.issued_on),
            due_on: None,
            currency,
        },
        corrects: Some(Corrected {
            number: invoice.number,
            issued_on: invoice.issued_on,
            reason: note.reason.clone(),
        }),
        adds_to: None,
        treatments: lines.iter().map(explained).collect::<Result<_>>()?,
        taxes: taxes.into_iter().map(|tax| tax.tax).collect(),
        totals: totals_of_note(&note, currency)?,
        lines,
    };
    let kept = parties::of_credit_note(tx, note.id).await?;
    content(tx, printed, kept, note.subscriber_id, note.registration_id).await
}

/// What stands on a document, as it is kept.
struct Printed {
    kind: DocumentKind,
    head: Head,
    corrects: Option<Corrected>,
    adds_to: Option<Corrected>,
    lines: Vec<InvoiceLine>,
    /// Of each line; none of what is no supply.
    treatments: Vec<Option<TaxTreatment>>,
    taxes: Vec<InvoiceTax>,
    totals: Totals,
}

/// Buyer and seller as they were kept with the document; how to reach them, and colours, as they are today.
async fn content(
    tx: &TenantTx,
    printed: Printed,
    kept: Parties,
    payer: SubscriberId,
    under: Option<TaxRegistrationId>,
) -> Result<Content> {
    let payer = subscribers::get(tx, payer).await?;
    let today = match printed.kind.is_of_supply() {
        true => super::seller(tx, under).await?,
        false => super::seller_for(tx, &payer).await?,
    };
    let seller = match kept.seller {
        Some(kept) => today.issued_as(kept),
        None => today,
    };
    let id = payer.id;
    let buyer = buyer(payer);
    let (buyer, mut known, delivered_to) = match kept.buyer {
        Some(mut kept) => {
            let (others, delivered_to) = (std::mem::take(&mut kept.others), kept.delivered_to.take());
            (buyer.issued_as(kept), others, delivered_to)
        }
        None => (buyer, BTreeMap::new(), None),
    };
    known.insert(id, buyer.name.clone());
    let names = names(tx, &printed.lines, known).await?;
    let document = Document {
        delivered_to,
        ..document(printed, buyer, &names)?
    };
    Ok(Content {
        seller,
        document,
        files: Files::default(),
    })
}

/// `registered`: tax id and region.
pub fn seller(branding: Branding, country: &str, registered: Option<(String, Option<String>)>) -> Seller {
    let (tax_id, region) = registered.unzip();
    Seller {
        display_name: branding.display_name,
        legal_name: branding.legal_name,
        address: branding.address,
        email: branding.support_email,
        phone: branding.support_phone,
        primary_color: branding.primary_color,
        accent_color: branding.accent_color,
        upi_id: branding.upi_id,
        country: country.to_owned(),
        tax_id,
        region: region.flatten(),
    }
}

/// Names of those whom lines are for: as they were kept with the document, else of today.
async fn names(
    tx: &TenantTx,
    lines: &[InvoiceLine],
    kept: BTreeMap<SubscriberId, String>,
) -> Result<BTreeMap<SubscriberId, String>> {
    let mut names = kept;
    for line in lines {
        if !names.contains_key(&line.subscriber_id) {
            let other = subscribers::get(tx, line.subscriber_id).await?;
            names.insert(other.id, other.name);
        }
    }
    Ok(names)
}

fn document(printed: Printed, buyer: Buyer, names: &BTreeMap<SubscriberId, String>) -> Result<Document> {
    let currency = printed.head.currency;
    let mut place_of_supply = None;
    let mut notes: Vec<String> = Vec::new();
    let mut lines = Vec::with_capacity(printed.lines.len());
    for (line, treatment) in printed.lines.iter().zip(printed.treatments) {
        let code = treatment.as_ref().map(|t| t.code.clone());
        if let Some(treatment) = treatment {
            place_of_supply.get_or_insert(treatment.place);
            let new = (treatment.notes.into_iter())
                .filter(|note| !notes.contains(note))
                .collect::<Vec<_>>();
            notes.extend(new);
        }
        let own = printed.taxes.iter().filter(|tax| tax.line_id == Some(line.id));
        let own = own.map(InvoiceTax::amount).collect::<Result<Vec<_>>>()?;
        let name = names.get(&line.subscriber_id).cloned().unwrap_or_default();
        // What the rules priced it as; a null code on the line is internet access.
        lines.push(self::line(line, name, code, &own, currency)?);
    }
    Ok(Document {
        kind: printed.kind,
        invoice: printed.head,
        corrects: printed.corrects,
        adds_to: printed.adds_to,
        buyer,
        place_of_supply,
        delivered_to: None,
        lines,
        taxes: sum_taxes(&printed.taxes)?.iter().map(tax).collect(),
        totals: printed.totals,
        notes,
    })
}

fn line(
    line: &InvoiceLine,
    subscriber: String,
    tax_code: Option<String>,
    taxes: &[TaxAmount],
    currency: Currency,
) -> Result<Line> {
    let taxed: Decimal = taxes.iter().map(|tax| tax.amount.amount()).sum();
    let unit_price = Money::new(line.unit_price, currency).map_or(line.unit_price.normalize(), Money::amount);
    Ok(Line {
        position: line.position + 1,
        description: line.description.clone(),
        subscriber,
        tax_code,
        quantity: line.quantity.normalize().to_string(),
        unit_price: unit_price.to_string(),
        discounted: !line.discount.is_zero(),
        discount: amount(line.discount, currency)?,
        amount: amount(line.amount, currency)?,
        taxes: taxes.iter().map(tax).collect(),
        total: amount(line.amount + taxed, currency)?,
    })
}

fn tax(tax: &TaxAmount) -> Tax {
    Tax {
        name: tax.name.clone(),
        rate: tax.rate.normalize().to_string(),
        base: tax.base.amount().to_string(),
        amount: tax.amount.amount().to_string(),
    }
}

fn totals(invoice: &Invoice, currency: Currency) -> Result<Totals> {
    let text = |value| amount(value, currency);
    // What is withdrawn was not settled.
    let credited = match invoice.status {
        InvoiceStatus::Void => Decimal::ZERO,
        _ => invoice.amount_credited,
    };
    Ok(Totals {
        subtotal: text(invoice.subtotal)?,
        discount: text(invoice.discount)?,
        tax_total: text(invoice.tax_total)?,
        rounding: text(invoice.rounding)?,
        total: text(invoice.total)?,
        amount_paid: text(invoice.amount_paid)?,
        amount_credited: text(credited)?,
        amount_due: text(invoice.amount_due)?,
    })
}

/// Nothing is due on a credit note.
fn totals_of_note(note: &CreditNote, currency: Currency) -> Result<Totals> {
    let text = |value| amount(value, currency);
    let nothing = text(Decimal::ZERO)?;
    Ok(Totals {
        subtotal: text(note.subtotal)?,
        discount: nothing.clone(),
        tax_total: text(note.tax_total)?,
        rounding: text(note.rounding)?,
        total: text(note.total)?,
        amount_paid: nothing.clone(),
        amount_credited: nothing.clone(),
        amount_due: nothing,
    })
}

/// At the currency's scale.
pub fn amount(value: Decimal, currency: Currency) -> Result<String> {
    Ok(Money::new(value, currency).map_err(Error::internal)?.amount().to_string())
}

/// As documents name a subscriber today.
pub fn buyer(s: Subscriber) -> Buyer {
    let named = parties::Buyer::of(&s);
    Buyer {
        name: named.name,
        account_number: named.account_number,
        address: named.address,
        country: named.country,
        region: named.region,
        tax_id: named.tax_id,
        email: s.email,
        phone: s.phone,
    }
}

impl Buyer {
    fn issued_as(self, kept: parties::Buyer) -> Self {
        Self {
            name: kept.name,
            account_number: kept.account_number,
            address: kept.address,
            country: kept.country,
            region: kept.region,
            tax_id: kept.tax_id,
            ..self
        }
    }
}

impl Seller {
    fn issued_as(self, kept: parties::Seller) -> Self {
        Self {
            display_name: kept.display_name,
            legal_name: kept.legal_name,
            address: kept.address,
            country: kept.country,
            tax_id: kept.tax_id,
            region: kept.region,
            ..self
        }
    }
}
