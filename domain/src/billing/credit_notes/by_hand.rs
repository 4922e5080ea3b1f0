use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::creditable::Creditable;
use super::entity::CreditNote;
use super::issue::{CreditedPart, NewCreditNote, issue, refusal};
use super::queries;
use crate::billing::rules::{LineCredit, in_proportion};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::ids::{CreditNoteId, InvoiceId, InvoiceLineId};
use crate::kernel::money::Money;

/// A credit note that staff write by hand: over all lines in proportion (`amount`), over some of them (`lines`), or over all
/// that is left.
#[derive(Clone, Debug, Serialize)]
pub struct IssueCreditNote {
    pub invoice_id: InvoiceId,
    /// Tax excluded.
    pub amount: Option<Decimal>,
    pub lines: Option<Vec<CreditLine>>,
    pub reason: String,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize)]
pub struct CreditLine {
    pub invoice_line_id: InvoiceLineId,
    /// Tax excluded; None: all that is left.
    pub amount: Option<Decimal>,
}

/// Credits money of an invoice; the time that it charges stays as it is. INVALID when more is asked for than is left,
/// INVALID_STATE when nothing is.
pub async fn issue_by_hand(tx: &TenantTx, mut cmd: IssueCreditNote) -> Result<CreditNote> {
    tx.require(Permission::InvoiceWrite)?;
    check(tx, &mut cmd)?;
    let id = CreditNoteId::new();
    let key = Some(cmd.idempotency_key);
    if let Some(known) = tx.claim_key("creditNoteIssue", key, &cmd, id.0).await? {
        return queries::get(tx, CreditNoteId(known)).await;
    }
    let of = Creditable::lock(tx, cmd.invoice_id, "invoiceId").await?;
    let nothing = || Error::state("invoiceId", "Nothing is left to credit on this invoice.");
    if !of.left()?.is_positive() {
        return Err(nothing());
    }
    let parts = match (&cmd.amount, &cmd.lines) {
        (Some(amount), _) => over_all(&of, exact(tx, *amount)?)?,
        (None, Some(lines)) => over_some(tx, &of, lines)?,
        (None, None) => all_left(&of),
    };
    let new = NewCreditNote {
        id,
        reason: cmd.reason.clone(),
        parts,
    };
    issue(tx, &of, new).await?.ok_or_else(nothing)
}

/// Everything that can be seen without looking into the database; amounts and the reason are brought into one shape, so that
/// an idempotency key does not care how they were written.
fn check(tx: &TenantTx, cmd: &mut IssueCreditNote) -> Result<()> {
    let mut checks = Checks::new();
    cmd.reason = checks.line(&cmd.reason, 200, "reason");
    let both = cmd.amount.is_some() && cmd.lines.is_some();
    checks.ensure(!both, "amount", "Name either an amount or lines.");
    let amount = |given: &mut Option<Decimal>, field: &str, checks: &mut Checks| {
        let Some(value) = given else { return };
        match Money::new(*value, tx.tenant().currency()) {
            Ok(exact) => *value = exact.amount(),
            Err(_) => {
                let decimals = format!("Must have at most {} decimals.", tx.tenant().currency().scale());
                checks.ensure(false, field, &decimals);
            }
        }
        checks.ensure(*value > Decimal::ZERO, field, "Must be more than 0.");
    };
    amount(&mut cmd.amount, "amount", &mut checks);
    if let Some(lines) = &mut cmd.lines {
        checks.ensure(
            !lines.is_empty(),
            "lines",
            "Name a line, or leave out `lines` to credit all that is left.",
        );
        checks.ensure(lines.len() <= 500, "lines", "Must be at most 500.");
        let mut seen = BTreeSet::new();
        for (n, line) in lines.iter_mut().take(500).enumerate() {
            let first = seen.insert(line.invoice_line_id);
            checks.ensure(first, &format!("lines.{n}.invoiceLineId"), "Is named twice.");
            amount(&mut line.amount, &format!("lines.{n}.amount"), &mut checks);
        }
    }
    checks.done()
}

fn exact(tx: &TenantTx, amount: Decimal) -> Result<Money> {
    Money::new(amount, tx.tenant().currency()).map_err(Error::internal)
}

fn all_left(of: &Creditable) -> Vec<CreditedPart> {
    let left = of.lines.iter().filter(|l| !l.left.is_nothing());
    left.map(|l| CreditedPart::of(l, LineCredit::AllLeft)).collect()
}

fn over_all(of: &Creditable, amount: Money) -> Result<Vec<CreditedPart>> {
    let lines: Vec<_> = of.lines.iter().map(|l| (&l.of, &l.left)).collect();
    let parts = in_proportion(amount, &lines).map_err(|e| refusal(e, "amount"))?;
    let parts = of.lines.iter().zip(parts);
    Ok(parts
        .filter_map(|(line, part)| Some(CreditedPart::of(line, LineCredit::Amount { amount: part? })))
        .collect())
}

fn over_some(tx: &TenantTx, of: &Creditable, lines: &[CreditLine]) -> Result<Vec<CreditedPart>> {
    let mut checks = Checks::new();
    let mut parts = Vec::new();
    for (n, asked) in lines.iter().enumerate() {
        let Some(line) = of.line(asked.invoice_line_id) else {
            let message = "The invoice has no such line.";
            checks.add(ErrorCode::NotFound, &format!("lines.{n}.invoiceLineId"), message);
            continue;
        };
        if line.left.is_nothing() {
            let message = "Nothing is left to credit on this line.";
            checks.add(ErrorCode::InvalidState, &format!("lines.{n}.invoiceLineId"), message);
            continue;
        }
        let credit = match asked.amount {
            None => LineCredit::AllLeft,
            Some(amount) => LineCredit::Amount {
                amount: exact(tx, amount)?,
            },
        };
        if let LineCredit::Amount { amount } = credit {
            let enough = amount.minor_units() <= line.left.amount.minor_units();
            let message = format!("Only {} is left of this line.", line.left.amount.amount());
            checks.ensure(enough, &format!("lines.{n}.amount"), &message);
        }
        parts.push(CreditedPart::of(line, credit));
    }
    checks.done()?;
    Ok(parts)
}
