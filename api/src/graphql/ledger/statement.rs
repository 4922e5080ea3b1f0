use async_graphql::{Context, ID, Object, SimpleObject};
use trunkline_domain::books;

use super::types::LedgerDocument;
use crate::graphql::ctx::CtxExt;
use crate::graphql::error::ApiResult;
use crate::graphql::ids;
use crate::graphql::scalars::{Date, Money};
use crate::graphql::subscribers::Subscriber;

pub struct AccountStatement(pub books::Statement);

/// What a subscriber was charged and has paid between two days, and what stood on its account before and after. Positive
/// balances: it owes. Negative: it has credit in hand.
#[Object]
impl AccountStatement {
    /// Whose account it is.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Option<Subscriber>> {
        Ok(ctx.rq().loader().load_one(self.0.subscriber_id).await?.map(Subscriber::from))
    }

    /// The first day; null: from the first entry.
    async fn from(&self) -> Option<Date> {
        self.0.from.map(Date)
    }

    /// The last day, included.
    async fn to(&self) -> Date {
        Date(self.0.to)
    }

    /// What stood on the account before the first day.
    async fn opening_balance(&self) -> Money {
        self.0.opening.into()
    }

    /// Everything that was booked on the account, the earliest first.
    #[graphql(complexity = "200 + 100 * child_complexity")]
    async fn entries(&self) -> Vec<AccountStatementEntry> {
        self.0.entries.iter().map(AccountStatementEntry::from).collect()
    }

    /// The statement as PDF, for at most 2,000 entries. Host-relative, needs the same authorisation as this query.
    async fn pdf_url(&self) -> String {
        let from = self.0.from.map(|from| format!("from={from}&")).unwrap_or_default();
        format!("/statements/{}.pdf?{from}to={}", self.0.subscriber_id, self.0.to)
    }

    /// What stood on the account at the end of the last day.
    async fn closing_balance(&self) -> Money {
        self.0.closing.into()
    }
}

/// Something that was booked on a subscriber's account.
#[derive(SimpleObject)]
pub struct AccountStatementEntry {
    /// The entry of the ledger.
    pub entry_id: ID,
    /// What kind of thing was booked, such as `invoice`, `payment` or `credit-note`.
    pub kind: String,
    /// The day on which it counts.
    pub booked_on: Date,
    /// What it is, in words.
    pub description: String,
    /// The document behind it; null where there is none.
    pub document: Option<LedgerDocument>,
    /// Positive: charged. Negative: paid or credited. Zero: credit in hand was applied to an invoice, or taken back from it.
    pub amount: Money,
    /// What stood on the account after it.
    pub balance: Money,
}

impl From<&books::StatementEntry> for AccountStatementEntry {
    fn from(entry: &books::StatementEntry) -> Self {
        Self {
            entry_id: ids::out(entry.id),
            kind: entry.kind.clone(),
            booked_on: Date(entry.booked_on),
            description: entry.description.clone(),
            document: entry.document.clone().map(LedgerDocument),
            amount: entry.amount.into(),
            balance: entry.balance.into(),
        }
    }
}
