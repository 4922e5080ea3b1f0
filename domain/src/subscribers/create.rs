use serde::Serialize;
use uuid::Uuid;

use super::account_number::account_number;
use super::address::Address;
use super::entity::{Subscriber, SubscriberStatus, TaxClass};
use super::events::SubscriberCreated;
use super::rules::Particulars;
use super::{payer, queries};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::SubscriberId;
use crate::tenants::template::Regions;

#[derive(Clone, Debug, Serialize)]
pub struct CreateSubscriber {
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub tax_id: Option<String>,
    /// None: `Regular`. Another takes `InvoiceWrite`, for it decides which taxes are charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_class: Option<TaxClass>,
    pub address: Option<Address>,
    pub bill_to_id: Option<SubscriberId>,
    pub key: Option<Uuid>,
}

/// Registers a customer and gives it its account number.
pub async fn create(tx: &TenantTx, cmd: CreateSubscriber) -> Result<Subscriber> {
    tx.require(Permission::SubscriberWrite)?;
    let tax_class = cmd.tax_class.unwrap_or(TaxClass::Regular);
    if tax_class != TaxClass::Regular {
        tx.require(Permission::InvoiceWrite)?;
    }
    let id = SubscriberId::new();
    if let Some(known) = tx.claim_key("subscriberCreate", cmd.key, &cmd, id.0).await? {
        return queries::get(tx, SubscriberId(known)).await;
    }
    let particulars = check(tx, &cmd)?;
    if let Some(bill_to) = cmd.bill_to_id {
        queries::lock(tx, bill_to).await?;
        payer::check(tx, id, bill_to).await?;
    }
    insert(tx, id, particulars, tax_class, cmd.bill_to_id).await?;
    tx.audit("subscriberCreate", id.0, &cmd).await?;
    tx.emit(&SubscriberCreated { subscriber_id: id }).await?;
    queries::get(tx, id).await
}

fn check(tx: &TenantTx, cmd: &CreateSubscriber) -> Result<Particulars> {
    let cmd = cmd.clone();
    let mut checks = Checks::new();
    let particulars = Particulars {
        name: cmd.name,
        email: cmd.email,
        phone: cmd.phone,
        tax_id: cmd.tax_id,
        address: cmd.address,
    }
    .checked(Regions::of(tx.tenant().template()), &mut checks);
    checks.done()?;
    Ok(particulars)
}

async fn insert(
    tx: &TenantTx,
    id: SubscriberId,
    of: Particulars,
    tax_class: TaxClass,
    bill_to: Option<SubscriberId>,
) -> Result<()> {
    let sequence: i64 = tx
        .sql("SELECT nextval('subscriber_account_number')")
        .scalar()
        .await?
        .ok_or_else(|| Error::internal("no account number"))?;
    tx.sql(
        "INSERT INTO subscriber (id, account_number, name, email, phone, tax_id, address, status, bill_to_id, created_at,
             tax_class)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(account_number(sequence))
    .bind(of.name)
    .bind(of.email)
    .bind(of.phone)
    .bind(of.tax_id)
    .bind(of.address)
    .bind(SubscriberStatus::Active)
    .bind(bill_to)
    .bind(tx.now())
    .bind(tax_class)
    .run()
    .await?;
    Ok(())
}
