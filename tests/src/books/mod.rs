//! The books as accountants see them: trial balance, accounts, statements, closing, balances brought along, and the journal as
//! hledger and beancount read it.

mod close;
mod export;
mod journal;
mod opening;
pub mod readers;
mod shop;
mod statement;

use crate::harness::{TestApp, execute};

/// Gives a subscriber of `asha` so many entries on its account, of 1.00 each, over some years.
pub async fn entries_of(app: &TestApp, subscriber: &str, many: u32) {
    let tenant = app.db.tenants.iter().find(|t| t.slug == "asha").unwrap();
    let subscriber = subscriber.strip_prefix("subscriber_").unwrap();
    let sql = format!(
        "SET search_path = {role};
         WITH e AS (
             INSERT INTO ledger_entry (id, kind, source_id, booked_on, description, created_at)
             SELECT gen_random_uuid(), 'test', gen_random_uuid(), date '2024-01-01' + (n % 700), 'Entry ' || n, now()
             FROM generate_series(1, {many}) n RETURNING id
         )
         INSERT INTO ledger_transfer (id, entry_id, debit_account_id, credit_account_id, amount)
         SELECT gen_random_uuid(), e.id,
             (SELECT id FROM ledger_account WHERE kind = 'RECEIVABLE' AND subscriber_id = '{subscriber}'),
             (SELECT id FROM ledger_account WHERE kind = 'REVENUE'), 1 FROM e;
         RESET search_path; ANALYZE {role}.ledger_entry; ANALYZE {role}.ledger_transfer",
        role = tenant.role,
    );
    execute(&mut app.db.admin().await, sql).await;
}
