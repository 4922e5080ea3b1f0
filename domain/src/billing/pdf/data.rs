//! What templates can print.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::billing::entity::{InvoiceKind, InvoiceStatus};
use crate::billing::parties::Site;
use crate::billing::rules::Place;
use crate::kernel::money::Currency;
use crate::kernel::text_enum;

/// `data.json`: what a template can print. Templates of ISPs' own read it, so members are added and never taken away. Amounts
/// are text at the currency's scale; what is not known is null.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    pub seller: Seller,
    #[serde(flatten)]
    pub document: Document,
    pub files: Files,
}

/// Names of further files.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Files {
    /// None until logos can be uploaded.
    pub logo: Option<&'static str>,
    /// The UPI code, where money is to be asked for by it.
    pub upi: Option<&'static str>,
}

/// The ISP, as documents name it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seller {
    pub display_name: String,
    pub legal_name: String,
    pub address: Vec<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub primary_color: String,
    pub accent_color: String,
    pub upi_id: Option<String>,
    pub country: String,
    /// Of the registration under which the invoice was issued.
    pub tax_id: Option<String>,
    pub region: Option<String>,
}

text_enum! {
    /// What a document is, for its title. A deposit and a balance brought forward are about no supply, hence no tax invoices.
    DocumentKind { Invoice, DebitNote, CreditNote, Deposit, OpeningBalance }
}

impl From<InvoiceKind> for DocumentKind {
    fn from(kind: InvoiceKind) -> Self {
        match kind {
            InvoiceKind::Invoice => Self::Invoice,
            InvoiceKind::DebitNote => Self::DebitNote,
            InvoiceKind::Deposit => Self::Deposit,
            InvoiceKind::OpeningBalance => Self::OpeningBalance,
        }
    }
}

impl DocumentKind {
    /// Whether it is about a supply, whose lines the tax rules have explained.
    pub fn is_of_supply(self) -> bool {
        !matches!(self, Self::Deposit | Self::OpeningBalance)
    }
}

/// The document's own part of the data, which a sample stands in for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    pub kind: DocumentKind,
    /// Of a credit note: its own.
    pub invoice: Head,
    /// What a credit note takes back something of; null: this is no credit note.
    pub corrects: Option<Corrected>,
    /// What a debit note adds to; null: this is no debit note.
    pub adds_to: Option<Corrected>,
    pub buyer: Buyer,
    pub place_of_supply: Option<Place>,
    /// Where all of it is supplied, if that is not the buyer's address.
    #[serde(default)]
    pub delivered_to: Option<Site>,
    pub lines: Vec<Line>,
    pub taxes: Vec<Tax>,
    pub totals: Totals,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    pub number: Option<String>,
    pub status: InvoiceStatus,
    pub issued_on: Option<NaiveDate>,
    pub due_on: Option<NaiveDate>,
    pub currency: Currency,
}

/// The invoice that a credit or debit note corrects, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Corrected {
    pub number: Option<String>,
    pub issued_on: Option<NaiveDate>,
    pub reason: String,
}

/// A subscriber, as documents name it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Buyer {
    pub name: String,
    pub account_number: String,
    /// Lines of an envelope, without name and region.
    pub address: Vec<String>,
    pub country: String,
    pub region: Option<String>,
    pub tax_id: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Line {
    pub position: i32,
    pub description: String,
    /// Whom it is for.
    pub subscriber: String,
    pub tax_code: Option<String>,
    pub quantity: String,
    pub unit_price: String,
    pub discounted: bool,
    pub discount: String,
    /// Tax excluded, after discount.
    pub amount: String,
    pub taxes: Vec<Tax>,
    /// With its taxes.
    pub total: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tax {
    pub name: String,
    /// Percent.
    pub rate: String,
    pub base: String,
    pub amount: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Totals {
    pub subtotal: String,
    pub discount: String,
    pub tax_total: String,
    pub rounding: String,
    pub total: String,
    pub amount_paid: String,
    pub amount_credited: String,
    pub amount_due: String,
}
