//! What must hold of the books at any moment, whatever happened before.

use rust_decimal::Decimal;
use trunkline_domain::kernel::db::TenantDb;
use trunkline_domain::ledger;
use trunkline_domain::ledger::AccountKind;

/// Statements that find what contradicts another table; each must find nothing.
const CONTRADICTIONS: [(&str, &str); 9] = [
    (
        "an invoice's amountPaid is what succeeded payments allocated to it",
        "SELECT i.id::text FROM invoice i WHERE i.amount_paid <> (
             SELECT coalesce(sum(a.amount), 0) FROM payment_allocation a JOIN payment p ON p.id = a.payment_id
             WHERE a.invoice_id = i.id AND p.status = 'SUCCEEDED')",
    ),
    (
        "an invoice's amountCredited is what credit in hand was applied to it, what notes took back and what was given up",
        "SELECT i.id::text FROM invoice i WHERE i.status <> 'VOID' AND i.amount_credited <> i.written_off + (
             SELECT coalesce(sum(c.amount), 0) FROM credit_application c WHERE c.invoice_id = i.id AND c.undone_at IS NULL)
             + (SELECT coalesce(sum(n.applied), 0) FROM credit_note n WHERE n.invoice_id = i.id)",
    ),
    (
        "what was given up of an invoice is the sum of its write-offs",
        "SELECT i.id::text FROM invoice i WHERE i.written_off <> (
             SELECT coalesce(sum(w.amount), 0) FROM write_off w WHERE w.invoice_id = i.id)",
    ),
    (
        "what is held for a subscriber is its deposits less what went back",
        "SELECT s.id::text FROM subscriber s WHERE
             (SELECT coalesce(sum(a.credit_total - a.debit_total), 0) FROM ledger_account a
              WHERE a.subscriber_id = s.id AND a.kind = 'DEPOSIT')
             <> (SELECT coalesce(sum(d.amount - d.returned), 0) FROM deposit d WHERE d.subscriber_id = s.id)",
    ),
    (
        "an invoice's status says what its amounts say",
        "SELECT i.id::text FROM invoice i WHERE i.status <> CASE WHEN i.voided_at IS NOT NULL THEN 'VOID'
             WHEN i.amount_due = 0 AND i.total > 0 AND i.total = i.credit_noted THEN 'CREDITED'
             WHEN i.amount_due = 0 AND i.written_off > 0 THEN 'WRITTEN_OFF'
             WHEN i.amount_due = 0 THEN 'PAID' WHEN i.amount_due < i.total THEN 'PARTIALLY_PAID' ELSE 'ISSUED' END",
    ),
    (
        "a payment is its allocations and what is left",
        "SELECT p.id::text FROM payment p WHERE p.amount <> p.unallocated + (
             SELECT coalesce(sum(a.amount), 0) FROM payment_allocation a WHERE a.payment_id = p.id)",
    ),
    (
        "a payment is booked once with its amount, and its reversal too",
        "SELECT p.id::text FROM payment p WHERE p.amount <> (
             SELECT coalesce(sum(t.amount), 0) FROM ledger_entry e JOIN ledger_transfer t ON t.entry_id = e.id
             WHERE e.source_id = p.id AND e.kind = 'payment')
         OR CASE WHEN p.status = 'REVERSED' THEN p.amount ELSE 0 END <> (
             SELECT coalesce(sum(t.amount), 0) FROM ledger_entry e JOIN ledger_transfer t ON t.entry_id = e.id
             WHERE e.source_id = p.id AND e.kind = 'payment-reversal')",
    ),
    (
        "a subscriber's receivable is what is due on its invoices",
        "SELECT s.id::text FROM subscriber s WHERE
             (SELECT coalesce(sum(a.debit_total - a.credit_total), 0) FROM ledger_account a
              WHERE a.subscriber_id = s.id AND a.kind = 'RECEIVABLE')
             <> (SELECT coalesce(sum(i.amount_due), 0) FROM invoice i WHERE i.subscriber_id = s.id)",
    ),
    (
        "credit in hand is what payments left over and no invoice has taken, and never less than nothing",
        "SELECT s.id FROM (
             SELECT s.id::text AS id,
                 (SELECT coalesce(sum(a.credit_total - a.debit_total), 0) FROM ledger_account a
                  WHERE a.subscriber_id = s.id AND a.kind = 'SUBSCRIBER_CREDIT') AS in_hand,
                 (SELECT coalesce(sum(p.unallocated), 0) FROM payment p
                  WHERE p.subscriber_id = s.id AND p.status = 'SUCCEEDED')
                 - (SELECT coalesce(sum(c.amount), 0) FROM credit_application c
                    WHERE c.subscriber_id = s.id AND c.undone_at IS NULL)
                 - (SELECT coalesce(sum(r.amount), 0) FROM refund r WHERE r.subscriber_id = s.id)
                 - (SELECT coalesce(sum(t.amount), 0) FROM credit_transfer t WHERE t.from_subscriber_id = s.id)
                 + (SELECT coalesce(sum(t.amount), 0) FROM credit_transfer t WHERE t.to_subscriber_id = s.id)
                 + (SELECT coalesce(sum(d.returned), 0) FROM deposit d WHERE d.subscriber_id = s.id)
                 + (SELECT coalesce(sum(-o.amount), 0) FROM opening_balance o WHERE o.subscriber_id = s.id AND o.amount < 0)
                 + (SELECT coalesce(sum(n.total - n.applied), 0) FROM credit_note n WHERE n.subscriber_id = s.id) AS left_over
             FROM subscriber s) s
         WHERE s.in_hand <> s.left_over OR s.in_hand < 0",
    ),
];

/// Fails unless the ledger sums to zero, running totals are what transfers sum to, and invoices and payments agree.
pub async fn assert_hold(db: &TenantDb) {
    let checked = db.read(async move |tx| {
        let accounts = ledger::totals(tx).await?;
        let net: Decimal = accounts.iter().map(|a| a.debit - a.credit).sum();
        assert_eq!(net, Decimal::ZERO, "debits equal credits: {accounts:#?}");
        let wrong = ledger::discrepancies(tx).await?;
        assert!(wrong.is_empty(), "running totals: {wrong:#?}");
        for (rule, sql) in CONTRADICTIONS {
            let found: Vec<String> = tx.sql(sql).scalars().await?;
            assert!(found.is_empty(), "{rule}: {found:?}");
        }
        Ok(())
    });
    checked.await.unwrap();
}

/// The money that came in by any method and was not taken back.
pub async fn cash_in_hand(db: &TenantDb) -> String {
    let accounts = db.read(async move |tx| ledger::totals(tx).await).await.unwrap();
    let cash = accounts.iter().filter(|a| a.kind == AccountKind::Cash);
    cash.map(|a| a.debit - a.credit).sum::<Decimal>().normalize().to_string()
}
