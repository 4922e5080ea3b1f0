use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::address::Address;
use crate::kernel::ids::SubscriberId;
use crate::kernel::text_enum;

text_enum! {
    SubscriberStatus { Active, Closed }
    /// What it is for tax, as a buyer: `Exempt` bears none; `Special` is what the law treats apart, such as a special economic
    /// zone.
    TaxClass { Regular, Exempt, Special }
}

#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Subscriber {
    pub id: SubscriberId,
    /// Also the reference of its payments.
    pub account_number: String,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub tax_id: Option<String>,
    pub tax_class: TaxClass,
    pub address: Option<Address>,
    pub status: SubscriberStatus,
    /// Who pays its invoices; None: itself.
    pub bill_to_id: Option<SubscriberId>,
    pub created_at: DateTime<Utc>,
    /// Counts changes, for `expectedVersion`.
    pub version: i32,
}

impl Subscriber {
    /// Whose account its invoices are posted to.
    pub fn payer(&self) -> SubscriberId {
        self.bill_to_id.unwrap_or(self.id)
    }
}
