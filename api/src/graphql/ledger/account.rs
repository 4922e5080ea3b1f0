use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use trunkline_domain::kernel::ids::{LedgerAccountId, LedgerEntryId, SubscriberId};
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::ledger::{AccountFilter, Turnover};
use trunkline_domain::{books, ledger};

use super::types::{LedgerAccountKind, LedgerDocument};
use crate::graphql::ctx::{CtxExt, Lookup};
use crate::graphql::error::{ApiError, ApiResult};
use crate::graphql::ids;
use crate::graphql::page::{self, connection};
use crate::graphql::scalars::{Date, DateTime, Money};
use crate::graphql::subscribers::Subscriber;

/// Which accounts to list; what is absent does not narrow.
#[derive(InputObject, Default)]
pub struct LedgerAccountFilter {
    /// Those of one kind.
    kind: Option<LedgerAccountKind>,
    /// Those of one subscriber.
    subscriber_id: Option<ID>,
}

impl LedgerAccountFilter {
    pub fn filter(self) -> ApiResult<AccountFilter> {
        // No subscriber has the nil id: an id of another kind matches nobody.
        let subscriber = |id: ID| ids::query(&id).map(|known| known.unwrap_or(SubscriberId(uuid::Uuid::nil())));
        Ok(AccountFilter {
            kind: self.kind.map(Into::into),
            subscriber_id: self.subscriber_id.map(subscriber).transpose()?,
        })
    }
}

#[derive(Clone)]
pub struct LedgerAccount(pub ledger::LedgerAccount);

impl From<ledger::LedgerAccount> for LedgerAccount {
    fn from(account: ledger::LedgerAccount) -> Self {
        Self(account)
    }
}

/// One account of the books.
#[Object]
impl LedgerAccount {
    /// Names it everywhere.
    async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// What it is for.
    async fn kind(&self) -> LedgerAccountKind {
        self.0.kind.into()
    }

    /// As exports name it, such as `Assets:Receivable:100000018`.
    async fn name(&self) -> String {
        self.0.name()
    }

    /// Whose it is; null for accounts of the ISP as a whole.
    async fn subscriber(&self, ctx: &Context<'_>) -> ApiResult<Option<Subscriber>> {
        let Some(id) = self.0.subscriber_id else { return Ok(None) };
        Ok(ctx.rq().loader().load_one(id).await?.map(Subscriber::from))
    }

    /// All that was debited.
    async fn debit(&self, ctx: &Context<'_>) -> ApiResult<Money> {
        Ok(self.0.money(self.turnover(ctx).await?.debit)?.into())
    }

    /// All that was credited.
    async fn credit(&self, ctx: &Context<'_>) -> ApiResult<Money> {
        Ok(self.0.money(self.turnover(ctx).await?.credit)?.into())
    }

    /// Debits less credits.
    async fn balance(&self, ctx: &Context<'_>) -> ApiResult<Money> {
        Ok(self.0.money(self.turnover(ctx).await?.balance())?.into())
    }

    /// What was booked on it, the earliest first, with what stood on it after each.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn postings(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
        #[graphql(desc = "From this day on; from the beginning when absent.")] from: Option<Date>,
        #[graphql(desc = "Until this day, included; until the end when absent.")] to: Option<Date>,
    ) -> ApiResult<LedgerPostingConnection> {
        let request = PageRequest::new(first, after.as_deref())?;
        let days = (from.map(|d| d.0), to.map(|d| d.0));
        let account = self.0.clone();
        let total = page::wants_total(ctx);
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = ledger::postings(tx, &account, request.clone(), days).await?;
                let total = if total {
                    Some(ledger::count_postings(tx, account.id, days).await?)
                } else {
                    None
                };
                Ok((rows, total))
            })
            .await?;
        let of = |posting| Posted {
            posting,
            account: self.0.clone(),
        };
        Ok(LedgerPostingConnection::of(ctx, rows.map(of), total, |p| {
            (p.posting.booked_on, p.posting.entry, p.posting.balance)
        }))
    }
}

impl LedgerAccount {
    async fn turnover(&self, ctx: &Context<'_>) -> ApiResult<Turnover> {
        Ok(ctx.rq().loader().load_one(TurnoverOf(self.0.id)).await?.unwrap_or_default())
    }
}

connection!(LedgerAccountConnection, LedgerAccountEdge, LedgerAccount);

/// A posting with its account, whose currency its amounts are in.
#[derive(Clone)]
pub struct Posted {
    posting: ledger::Posting,
    account: ledger::LedgerAccount,
}

pub struct LedgerPosting(Posted);

impl From<Posted> for LedgerPosting {
    fn from(posted: Posted) -> Self {
        Self(posted)
    }
}

/// What one entry of the ledger did to one account.
#[Object]
impl LedgerPosting {
    /// The entry's id, the same in the postings of its other accounts.
    async fn entry_id(&self) -> ID {
        ids::out(self.0.posting.entry)
    }

    /// What kind of thing was booked, such as `invoice`, `payment` or `credit-note`.
    async fn kind(&self) -> &str {
        &self.0.posting.kind
    }

    /// The day on which it counts.
    async fn booked_on(&self) -> Date {
        Date(self.0.posting.booked_on)
    }

    /// When it was written down.
    async fn recorded_at(&self) -> DateTime {
        DateTime(self.0.posting.created_at)
    }

    /// What it is, in words.
    async fn description(&self) -> &str {
        &self.0.posting.description
    }

    /// The document behind it; null where there is none.
    async fn document(&self, ctx: &Context<'_>) -> ApiResult<Option<LedgerDocument>> {
        let found = ctx.rq().loader().load_one(DocumentOf(self.0.posting.entry)).await?;
        Ok(found.map(LedgerDocument))
    }

    /// What it debited here.
    async fn debit(&self) -> ApiResult<Money> {
        Ok(self.0.account.money(self.0.posting.debit)?.into())
    }

    /// What it credited here.
    async fn credit(&self) -> ApiResult<Money> {
        Ok(self.0.account.money(self.0.posting.credit)?.into())
    }

    /// What stood on the account after it: debits less credits.
    async fn balance(&self) -> ApiResult<Money> {
        Ok(self.0.account.money(self.0.posting.balance)?.into())
    }
}

connection!(LedgerPostingConnection, LedgerPostingEdge, LedgerPosting);

/// Loads what has been booked on an account.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TurnoverOf(pub LedgerAccountId);

impl Loader<TurnoverOf> for Lookup {
    type Value = Turnover;
    type Error = ApiError;

    async fn load(&self, keys: &[TurnoverOf]) -> ApiResult<HashMap<TurnoverOf, Turnover>> {
        let ids: Vec<LedgerAccountId> = keys.iter().map(|k| k.0).collect();
        let all = self.0.read(async move |tx| ledger::turnovers(tx, &ids).await).await?;
        Ok(all.into_iter().map(|(id, turnover)| (TurnoverOf(id), turnover)).collect())
    }
}

/// Loads the document behind an entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DocumentOf(pub LedgerEntryId);

impl Loader<DocumentOf> for Lookup {
    type Value = books::Document;
    type Error = ApiError;

    async fn load(&self, keys: &[DocumentOf]) -> ApiResult<HashMap<DocumentOf, books::Document>> {
        let ids: Vec<LedgerEntryId> = keys.iter().map(|k| k.0).collect();
        let all = self.0.read(async move |tx| books::documents(tx, &ids).await).await?;
        Ok(all.into_iter().map(|(id, document)| (DocumentOf(id), document)).collect())
    }
}

/// An account of the trial balance, or all subscribers' accounts of one kind together.
#[derive(SimpleObject)]
pub struct TrialBalanceLine {
    /// What it is for.
    pub kind: LedgerAccountKind,
    /// As exports name it; without an account number where it stands for all subscribers.
    pub name: String,
    /// All that was debited up to that day.
    pub debit: Money,
    /// All that was credited up to that day.
    pub credit: Money,
    /// Debits less credits.
    pub balance: Money,
    /// The account, for `ledgerAccount`; null where the line stands for the accounts of all subscribers.
    pub account_id: Option<ID>,
}

/// The books at the end of a day: what was debited and credited on every account. Both come to the same.
#[derive(SimpleObject)]
pub struct TrialBalance {
    /// The day.
    pub as_of: Date,
    /// The accounts, by kind and name.
    pub lines: Vec<TrialBalanceLine>,
    /// The sum of the lines' debits.
    pub debit: Money,
    /// The sum of the lines' credits; the same as `debit`.
    pub credit: Money,
}

impl From<ledger::TrialBalance> for TrialBalance {
    fn from(books: ledger::TrialBalance) -> Self {
        let line = |line: ledger::TrialLine| TrialBalanceLine {
            kind: line.kind.into(),
            name: line.name,
            debit: line.debit.into(),
            credit: line.credit.into(),
            balance: line.balance.into(),
            account_id: line.account_id.map(ids::out),
        };
        Self {
            as_of: Date(books.as_of),
            lines: books.lines.into_iter().map(line).collect(),
            debit: books.debit.into(),
            credit: books.credit.into(),
        }
    }
}
