use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::entity::Deposit;
use super::events::{DepositCharged, DepositReturned};
use super::queries::{self, deposits};
use super::refund::{RefundCredit, pay_out};
use crate::billing::{self, InvoiceKind, InvoiceLineKind, PlainInvoice};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{DepositId, InvoiceId, RefundId, ServiceId, SubscriberId};
use crate::kernel::money::Money;
use crate::ledger::{self, Account, Entry, Transfer};
use crate::payments::{PaymentMethod, checked_amount};
use crate::{services, subscribers};

#[derive(Clone, Debug, Serialize)]
pub struct ChargeDeposit {
    /// Whom it is for; who pays for that one is asked for it, and has it back.
    pub subscriber_id: SubscriberId,
    /// At whose end it is set off against what is owed.
    pub service_id: Option<ServiceId>,
    pub amount: Decimal,
    pub description: String,
    /// None: as many days from today as the settings say.
    pub due_on: Option<NaiveDate>,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct ReturnDeposit {
    pub id: DepositId,
    /// None: all that is held.
    pub amount: Option<Decimal>,
    pub reason: String,
    /// Pays out what is left when what is owed is settled; None: it stays as credit.
    pub pay_out: Option<PayOut>,
    pub idempotency_key: Uuid,
}

/// How money is handed out.
#[derive(Clone, Debug, Serialize)]
pub struct PayOut {
    pub method: PaymentMethod,
    pub reference: Option<String>,
}

/// Asks for a refundable deposit, by an invoice of its own kind: it is no consideration for a supply, hence not taxed (India:
/// CGST Act s.2(31), proviso), and nobody's revenue.
pub async fn deposit_charge(tx: &TenantTx, mut cmd: ChargeDeposit) -> Result<Deposit> {
    tx.require(Permission::InvoiceWrite)?;
    let mut checks = Checks::new();
    let amount = checked_amount(cmd.amount, tx.tenant().currency(), &mut checks);
    cmd.description = checks.line(&cmd.description, 200, "description");
    checks.ensure(
        cmd.due_on.is_none_or(|day| day >= tx.today()),
        "dueOn",
        "Must not be before today.",
    );
    checks.done()?;
    let amount = amount.ok_or_else(|| Error::internal("an amount was neither accepted nor refused"))?;
    cmd.amount = amount.amount();
    let id = DepositId::new();
    let key = Some(cmd.idempotency_key);
    if let Some(known) = tx.claim_key("depositCharge", key, &cmd, id.0).await? {
        return queries::deposit(tx, DepositId(known)).await;
    }
    let payer = lock_payer(tx, cmd.subscriber_id).await?;
    check_service(tx, &cmd).await?;
    let invoice = PlainInvoice {
        id: InvoiceId::new(),
        kind: InvoiceKind::Deposit,
        payer,
        subscriber: cmd.subscriber_id,
        service: cmd.service_id,
        issued_on: tx.today(),
        due_on: cmd.due_on,
        line: InvoiceLineKind::Deposit,
        description: cmd.description.clone(),
        amount: cmd.amount,
        explanation: json!({ "deposit": { "amount": cmd.amount } }),
    };
    billing::issue_plain(tx, &invoice).await?;
    insert(tx, id, &cmd, payer, invoice.id).await?;
    book(
        tx,
        "deposit",
        invoice.id.0,
        "Deposit",
        Account::Receivable(payer),
        Account::Deposit(payer),
        amount,
    )
    .await?;
    billing::consume_again(tx, payer, &[invoice.id]).await?;
    tx.audit("depositCharge", id.0, &cmd).await?;
    tx.emit(&DepositCharged {
        deposit_id: id,
        invoice_id: invoice.id,
        subscriber_id: payer,
    })
    .await?;
    queries::deposit(tx, id).await
}

/// Gives a deposit back, or a part of it: it settles what is owed (the deposit's own invoice, if that was never paid), and the
/// rest is credit in hand, or paid out.
pub async fn deposit_return(tx: &TenantTx, mut cmd: ReturnDeposit) -> Result<Deposit> {
    tx.require(Permission::CreditWrite)?;
    let mut checks = Checks::new();
    cmd.reason = checks.line(&cmd.reason, 500, "reason");
    if let Some(out) = &mut cmd.pay_out {
        out.reference = checks.optional_line(out.reference.as_deref(), 100, "payOut.reference");
    }
    let asked = match cmd.amount {
        Some(amount) => checked_amount(amount, tx.tenant().currency(), &mut checks),
        None => None,
    };
    checks.done()?;
    cmd.amount = asked.map(Money::amount);
    let key = Some(cmd.idempotency_key);
    if let Some(known) = tx.claim_key("depositReturn", key, &cmd, cmd.id.0).await? {
        return queries::deposit(tx, DepositId(known)).await;
    }
    let deposit = lock(tx, cmd.id).await?;
    let held = deposit.held()?;
    let amount = asked.unwrap_or(held);
    if !held.is_positive() {
        return Err(Error::state("id", "All of this deposit has gone back."));
    }
    if amount.amount() > held.amount() {
        let message = format!("Only {} of this deposit is held.", held.amount());
        return Err(Error::user(ErrorCode::InsufficientFunds, "amount", message));
    }
    give_back(tx, &deposit, amount, &cmd.reason).await?;
    if let Some(out) = &cmd.pay_out {
        pay_rest_out(tx, &deposit, amount, out, &cmd).await?;
    }
    tx.audit("depositReturn", cmd.id.0, &cmd).await?;
    queries::deposit(tx, cmd.id).await
}

/// A service has ended: the deposits that were taken for it settle what their payer owes. What is left is held until somebody
/// returns it, for it may stand for a router that has not come back.
pub async fn set_off(tx: &TenantTx, service: ServiceId) -> Result<()> {
    let found: Vec<Deposit> = tx
        .sql(deposits!("WHERE service_id = $1 AND returned < amount ORDER BY id"))
        .bind(service)
        .all()
        .await?;
    for deposit in found {
        let deposit = lock(tx, deposit.id).await?;
        let open = billing::open_invoices(tx, deposit.subscriber_id).await?;
        let owed = Money::sum(open.iter().map(|i| i.amount_due), tx.tenant().currency()).map_err(Error::internal)?;
        let amount = deposit.held()?.at_most(owed).map_err(Error::internal)?;
        if amount.is_positive() {
            let reason = "Set off at the end of the service";
            give_back(tx, &deposit, amount, reason).await?;
            tx.audit("depositSetOff", deposit.id.0, json!({ "amount": amount, "reason": reason }))
                .await?;
        }
    }
    Ok(())
}

/// Who pays for a subscriber, locked.
async fn lock_payer(tx: &TenantTx, id: SubscriberId) -> Result<SubscriberId> {
    let payer = subscribers::get(tx, id).await?.payer();
    let missing = || Error::not_found("subscriberId");
    subscribers::lock(tx, payer).await?.ok_or_else(missing)?;
    Ok(payer)
}

async fn check_service(tx: &TenantTx, cmd: &ChargeDeposit) -> Result<()> {
    let Some(id) = cmd.service_id else { return Ok(()) };
    match services::subscribers_of(tx, &[id]).await?.contains(&cmd.subscriber_id) {
        true => Ok(()),
        false => Err(Error::not_found("serviceId")),
    }
}

/// The deposit, with whoever it belongs to locked.
async fn lock(tx: &TenantTx, id: DepositId) -> Result<Deposit> {
    let whose = queries::deposit(tx, id).await?.subscriber_id;
    subscribers::lock(tx, whose).await?;
    queries::deposit(tx, id).await
}

async fn insert(tx: &TenantTx, id: DepositId, cmd: &ChargeDeposit, payer: SubscriberId, invoice: InvoiceId) -> Result<()> {
    tx.sql(
        "INSERT INTO deposit (id, subscriber_id, service_id, invoice_id, description, amount, currency, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(payer)
    .bind(cmd.service_id)
    .bind(invoice)
    .bind(cmd.description.as_str())
    .bind(cmd.amount)
    .bind(tx.tenant().currency().code())
    .bind(tx.now())
    .run()
    .await?;
    Ok(())
}

async fn book(
    tx: &TenantTx,
    kind: &'static str,
    source: Uuid,
    description: &str,
    debit: Account,
    credit: Account,
    amount: Money,
) -> Result<()> {
    let entry = Entry {
        kind,
        source,
        booked_on: tx.today(),
        description: description.to_owned(),
        transfers: vec![Transfer::new(debit, credit, amount)],
    };
    ledger::post(tx, entry).await?;
    Ok(())
}

/// Turns a part of a deposit into credit in hand, which settles what is owed.
async fn give_back(tx: &TenantTx, deposit: &Deposit, amount: Money, reason: &str) -> Result<()> {
    let (id, whose) = (Uuid::now_v7(), deposit.subscriber_id);
    tx.sql("INSERT INTO deposit_return (id, deposit_id, amount, reason, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(deposit.id)
        .bind(amount.amount())
        .bind(reason)
        .bind(tx.now())
        .run()
        .await?;
    tx.sql("UPDATE deposit SET returned = returned + $2 WHERE id = $1")
        .bind(deposit.id)
        .bind(amount.amount())
        .run()
        .await?;
    let credit = Account::SubscriberCredit(whose);
    book(
        tx,
        "deposit-return",
        id,
        "Deposit returned",
        Account::Deposit(whose),
        credit,
        amount,
    )
    .await?;
    // What was never paid of the deposit itself first.
    billing::consume_again(tx, whose, &[deposit.invoice_id]).await?;
    billing::settle_from_credit(tx, whose).await?;
    tx.emit(&DepositReturned {
        deposit_id: deposit.id,
        subscriber_id: whose,
    })
    .await
}

/// Pays out what invoices have left of what went back.
async fn pay_rest_out(tx: &TenantTx, deposit: &Deposit, amount: Money, out: &PayOut, cmd: &ReturnDeposit) -> Result<()> {
    let in_hand = ledger::credit_in_hand(tx, deposit.subscriber_id).await?;
    let rest = amount.at_most(in_hand).map_err(Error::internal)?;
    if !rest.is_positive() {
        return Ok(());
    }
    let refund = RefundCredit {
        subscriber_id: deposit.subscriber_id,
        amount: rest.amount(),
        method: out.method,
        reference: out.reference.clone(),
        reason: cmd.reason.clone(),
        payment_id: None,
        idempotency_key: cmd.idempotency_key,
    };
    pay_out(tx, RefundId::new(), &refund, rest).await
}
