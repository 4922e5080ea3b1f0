//! Statements of account as PDF.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Serialize;

use super::statement::{Statement, StatementEntry, statement};
use crate::billing::pdf::{self, Buyer, Files, Printable, Seller};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::SubscriberId;
use crate::kernel::money::{Currency, Money};
use crate::subscribers;

/// Longer ones would take their process longer than it may; they are asked for in parts.
const MAX_ENTRIES: usize = 2_000;

/// `data.json` of a statement.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    seller: Seller,
    buyer: Buyer,
    files: Files,
    currency: Currency,
    from: Option<NaiveDate>,
    to: NaiveDate,
    drawn_up_on: NaiveDate,
    opening: String,
    charged: String,
    settled: String,
    closing: String,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    booked_on: NaiveDate,
    description: String,
    document: Option<String>,
    charged: Option<String>,
    settled: Option<String>,
    balance: String,
}

impl From<StatementEntry> for Entry {
    fn from(entry: StatementEntry) -> Self {
        let text = |amount: Decimal| Some(amount.to_string());
        let amount = entry.amount.amount();
        Self {
            booked_on: entry.booked_on,
            description: entry.description,
            document: entry.document.and_then(|document| document.number),
            charged: text(amount).filter(|_| entry.amount.is_positive()),
            settled: text(amount.abs()).filter(|_| entry.amount.is_negative()),
            balance: entry.balance.amount().to_string(),
        }
    }
}

/// A subscriber's account between two days, ready to be typeset; refusals are those of [`statement`].
pub async fn statement_printable(
    tx: &TenantTx,
    subscriber: SubscriberId,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
) -> Result<Option<Printable>> {
    let Some(statement) = statement(tx, subscriber, from, to).await? else {
        return Ok(None);
    };
    if statement.entries.len() > MAX_ENTRIES {
        let message = format!("A printed statement has at most {MAX_ENTRIES} entries: ask for a shorter time.");
        return Err(Error::user(ErrorCode::LimitExceeded, "from", message));
    }
    let content = content(tx, statement).await?;
    let name = format!("statement-{}-{}", content.buyer.account_number, content.to);
    Printable::of(name, pdf::pack(tx)?.statement(), &content).map(Some)
}

async fn content(tx: &TenantTx, statement: Statement) -> Result<Content> {
    let currency = tx.tenant().currency();
    let subscriber = subscribers::get(tx, statement.subscriber_id).await?;
    let moved = |up: bool| {
        let amounts = statement.entries.iter().map(|entry| entry.amount);
        Money::sum(amounts.filter(|a| a.is_positive() == up), currency).map_err(Error::internal)
    };
    Ok(Content {
        seller: pdf::seller_for(tx, &subscriber).await?,
        buyer: pdf::buyer(subscriber),
        files: Files::default(),
        currency,
        from: statement.from,
        to: statement.to,
        drawn_up_on: tx.today(),
        opening: statement.opening.amount().to_string(),
        charged: moved(true)?.amount().to_string(),
        settled: moved(false)?.amount().abs().to_string(),
        closing: statement.closing.amount().to_string(),
        entries: statement.entries.into_iter().map(Entry::from).collect(),
    })
}
