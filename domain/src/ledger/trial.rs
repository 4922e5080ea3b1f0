use chrono::NaiveDate;
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;

use super::account::AccountKind;
use super::names::account_name;
use crate::kernel::Permission;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::LedgerAccountId;
use crate::kernel::money::Money;

/// The books at the end of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialBalance {
    pub as_of: NaiveDate,
    pub lines: Vec<TrialLine>,
    /// The sum of the lines; equals `credit`.
    pub debit: Money,
    pub credit: Money,
}

/// An account, or all subscribers' accounts of one kind together.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialLine {
    pub kind: AccountKind,
    pub name: String,
    /// None where the line stands for the accounts of all subscribers.
    pub account_id: Option<LedgerAccountId>,
    pub debit: Money,
    pub credit: Money,
    /// Debits less credits.
    pub balance: Money,
}

/// What was debited and credited on every account up to a day, that day included. Debits equal credits.
pub async fn trial_balance(tx: &TenantTx, as_of: NaiveDate) -> Result<TrialBalance> {
    #[derive(FromQueryResult)]
    struct Row {
        kind: AccountKind,
        detail: String,
        account_id: Option<LedgerAccountId>,
        debit: Decimal,
        credit: Decimal,
    }
    tx.require(Permission::LedgerRead)?;
    let rows: Vec<Row> = tx
        .sql(
            "WITH side AS (
                 SELECT t.debit_account_id AS account_id, sum(t.amount) AS debit, 0 AS credit
                 FROM ledger_transfer t JOIN ledger_entry e ON e.id = t.entry_id WHERE e.booked_on <= $1 GROUP BY 1
                 UNION ALL
                 SELECT t.credit_account_id, 0, sum(t.amount)
                 FROM ledger_transfer t JOIN ledger_entry e ON e.id = t.entry_id WHERE e.booked_on <= $1 GROUP BY 1
             )
             SELECT a.kind, a.detail, CASE WHEN a.subscriber_id IS NULL THEN a.id END AS account_id,
                 sum(s.debit) AS debit, sum(s.credit) AS credit
             FROM side s JOIN ledger_account a ON a.id = s.account_id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        )
        .bind(as_of)
        .all()
        .await?;
    let currency = tx.tenant().currency();
    let money = |amount| Money::new(amount, currency).map_err(Error::internal);
    let lines = (rows.into_iter())
        .map(|row| {
            Ok(TrialLine {
                kind: row.kind,
                name: account_name(row.kind, &row.detail, None),
                account_id: row.account_id,
                debit: money(row.debit)?,
                credit: money(row.credit)?,
                balance: money(row.debit - row.credit)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let sum = |of: fn(&TrialLine) -> Money| Money::sum(lines.iter().map(of), currency).map_err(Error::internal);
    Ok(TrialBalance {
        as_of,
        debit: sum(|l| l.debit)?,
        credit: sum(|l| l.credit)?,
        lines,
    })
}
