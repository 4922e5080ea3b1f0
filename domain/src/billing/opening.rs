//! Balances that subscribers bring along from the system before.

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::credit;
use super::entity::{InvoiceKind, InvoiceLineKind};
use super::events::OpeningBalanceRecorded;
use super::plain::{PlainInvoice, issue_plain};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{InvoiceId, SubscriberId};
use crate::kernel::money::Money;
use crate::ledger::{self, Account, Entry, Transfer};
use crate::subscribers;

#[derive(Clone, Debug, Serialize)]
pub struct RecordOpeningBalance {
    pub subscriber_id: SubscriberId,
    /// Positive: it owed that much. Negative: it had that much in hand.
    pub amount: Decimal,
    pub as_of: NaiveDate,
    /// When what is owed is due; None: as many days from today as the settings say.
    pub due_on: Option<NaiveDate>,
    /// The account's name in the system before, or the like.
    pub reference: Option<String>,
    pub idempotency_key: Uuid,
}

/// A balance as it was brought along.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct OpeningBalance {
    pub id: Uuid,
    pub subscriber_id: SubscriberId,
    pub amount: Decimal,
    pub currency: String,
    pub as_of: NaiveDate,
    pub reference: Option<String>,
    pub invoice_id: Option<InvoiceId>,
}

impl OpeningBalance {
    pub fn amount(&self) -> Result<Money> {
        let currency = self.currency.parse().map_err(Error::internal)?;
        Money::new(self.amount, currency).map_err(Error::internal)
    }
}

/// Brings a subscriber's balance in, once. What it owed stands on an invoice of its own kind, which payments settle like any
/// other; what it had in hand is its credit.
pub async fn opening_balance_record(tx: &TenantTx, mut cmd: RecordOpeningBalance) -> Result<OpeningBalance> {
    tx.require(Permission::LedgerWrite)?;
    let amount = check(tx, &mut cmd)?;
    let key = Some(cmd.idempotency_key);
    let id = Uuid::now_v7();
    if let Some(known) = tx.claim_key("openingBalanceRecord", key, &cmd, id).await? {
        return get(tx, known).await;
    }
    let missing = || Error::not_found("subscriberId");
    let subscriber = subscribers::lock(tx, cmd.subscriber_id).await?.ok_or_else(missing)?;
    if subscriber.bill_to_id.is_some() {
        let message = "Another subscriber pays for this one: the balance is that one's.";
        return Err(Error::invalid("subscriberId", message));
    }
    ledger::require_open(tx, cmd.as_of, "asOf").await?;
    let invoice = amount.is_positive().then(InvoiceId::new);
    if let Some(invoice) = invoice {
        insert_invoice(tx, invoice, &cmd).await?;
    }
    insert(tx, id, &cmd, invoice).await?;
    book(tx, id, &cmd, amount).await?;
    settle(tx, subscriber.id, invoice).await?;
    tx.audit("openingBalanceRecord", subscriber.id.0, &cmd).await?;
    tx.emit(&OpeningBalanceRecorded {
        subscriber_id: subscriber.id,
        invoice_id: invoice,
    })
    .await?;
    get(tx, id).await
}

fn check(tx: &TenantTx, cmd: &mut RecordOpeningBalance) -> Result<Money> {
    let currency = tx.tenant().currency();
    let mut checks = Checks::new();
    checks.ensure(
        !cmd.amount.is_zero(),
        "amount",
        "Must not be 0: without a balance there is nothing to bring along.",
    );
    let exact = Money::new(cmd.amount, currency);
    let message = format!(
        "Must have at most {} decimals, and not be larger than any balance can be.",
        currency.scale()
    );
    checks.ensure(
        exact.is_ok() && cmd.amount.abs() < Decimal::from(1_000_000_000_000_i64),
        "amount",
        &message,
    );
    checks.ensure(cmd.as_of <= tx.today(), "asOf", "Must not be after today.");
    checks.ensure(cmd.as_of.year() >= 2000, "asOf", "Must not be before the year 2000.");
    checks.ensure(
        cmd.due_on.is_none_or(|day| day >= cmd.as_of),
        "dueOn",
        "Must not be before `asOf`.",
    );
    cmd.reference = checks.optional_line(cmd.reference.as_deref(), 100, "reference");
    checks.done()?;
    let amount = exact.map_err(Error::internal)?;
    cmd.amount = amount.amount();
    Ok(amount)
}

async fn insert_invoice(tx: &TenantTx, id: InvoiceId, cmd: &RecordOpeningBalance) -> Result<()> {
    let invoice = PlainInvoice {
        id,
        kind: InvoiceKind::OpeningBalance,
        payer: cmd.subscriber_id,
        subscriber: cmd.subscriber_id,
        service: None,
        issued_on: cmd.as_of,
        due_on: cmd.due_on,
        line: InvoiceLineKind::Adjustment,
        description: format!("Balance brought forward as of {}", cmd.as_of),
        amount: cmd.amount,
        explanation: json!({ "openingBalance": { "asOf": cmd.as_of, "amount": cmd.amount, "reference": cmd.reference } }),
    };
    issue_plain(tx, &invoice).await
}

async fn insert(tx: &TenantTx, id: Uuid, cmd: &RecordOpeningBalance, invoice: Option<InvoiceId>) -> Result<()> {
    let inserted = tx
        .sql(
            "INSERT INTO opening_balance (id, subscriber_id, amount, currency, as_of, reference, invoice_id, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (subscriber_id) DO NOTHING",
        )
        .bind(id)
        .bind(cmd.subscriber_id)
        .bind(cmd.amount)
        .bind(tx.tenant().currency().code())
        .bind(cmd.as_of)
        .bind(cmd.reference.clone())
        .bind(invoice)
        .bind(tx.now())
        .run()
        .await?;
    match inserted {
        0 => Err(Error::user(
            ErrorCode::Conflict,
            "subscriberId",
            "This subscriber's balance has been brought along already.",
        )),
        _ => Ok(()),
    }
}

async fn book(tx: &TenantTx, id: Uuid, cmd: &RecordOpeningBalance, amount: Money) -> Result<()> {
    let account = match amount.is_positive() {
        true => Account::Receivable(cmd.subscriber_id),
        false => Account::SubscriberCredit(cmd.subscriber_id),
    };
    let entry = Entry {
        kind: "opening",
        source: id,
        booked_on: cmd.as_of,
        description: "Opening balance".to_owned(),
        transfers: vec![Transfer::new(account, Account::Opening, amount)],
    };
    ledger::post(tx, entry).await?;
    Ok(())
}

/// Nothing stays owed beside credit in hand.
async fn settle(tx: &TenantTx, subscriber: SubscriberId, invoice: Option<InvoiceId>) -> Result<()> {
    match invoice {
        Some(invoice) => credit::consume_again(tx, subscriber, &[invoice]).await,
        None => credit::settle_from_credit(tx, subscriber).await,
    }
}

async fn get(tx: &TenantTx, id: Uuid) -> Result<OpeningBalance> {
    tx.sql("SELECT id, subscriber_id, amount, currency, as_of, reference, invoice_id FROM opening_balance WHERE id = $1")
        .bind(id)
        .one()
        .await
}
