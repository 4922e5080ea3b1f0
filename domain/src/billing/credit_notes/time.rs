//! Time that is not charged any more, or not at that price.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::creditable::Creditable;
use super::entity::CreditNote;
use super::issue::{CreditedPart, NewCreditNote, issue};
use crate::billing::InvoiceLineKind;
use crate::billing::coverage::{self, Fragment};
use crate::billing::rules::{Charge, DayShare, LineCredit};
use crate::kernel::calendar::{Period, Zone};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{CreditNoteId, InvoiceId, InvoiceLineId, ServiceId};
use crate::kernel::money::Money;

/// Credits all that is charged of the service's time from `from` until `until` (None: all to come), one credit note for each
/// invoice that charges some of it, in the order of their time. That time is not covered from then on. What is charged by
/// hours has no days to be credited and stays.
pub async fn credit_time(
    tx: &TenantTx,
    service: ServiceId,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    reason: &str,
) -> Result<Vec<CreditNote>> {
    let pieces = coverage::cut_out(tx, service, from, until).await?;
    credit_pieces(tx, &pieces, reason).await
}

/// As [`credit_time`], of one charge of the service alone, such as an add-on's.
pub async fn credit_charge(
    tx: &TenantTx,
    service: ServiceId,
    charge: &str,
    from: DateTime<Utc>,
    reason: &str,
) -> Result<Vec<CreditNote>> {
    let pieces = coverage::cut_out_of(tx, service, charge, from).await?;
    credit_pieces(tx, &pieces, reason).await
}

/// Credits all that is left of what a service was charged for once: it never began.
pub async fn credit_one_time(tx: &TenantTx, service: ServiceId, reason: &str) -> Result<Vec<CreditNote>> {
    let invoices: Vec<InvoiceId> = tx
        .sql("SELECT DISTINCT invoice_id FROM invoice_line WHERE service_id = $1 AND kind = 'ONE_TIME' ORDER BY invoice_id")
        .bind(service)
        .scalars()
        .await?;
    let mut notes = Vec::new();
    for invoice in invoices {
        let of = Creditable::lock(tx, invoice, "id").await?;
        let own = of
            .lines
            .iter()
            .filter(|l| l.line.service_id == Some(service) && l.line.kind == InvoiceLineKind::OneTime && !l.left.is_nothing());
        let new = NewCreditNote {
            id: CreditNoteId::new(),
            reason: reason.to_owned(),
            parts: own.map(|l| CreditedPart::of(l, LineCredit::AllLeft)).collect(),
        };
        if !new.parts.is_empty() {
            notes.extend(issue(tx, &of, new).await?);
        }
    }
    Ok(notes)
}

async fn credit_pieces(tx: &TenantTx, pieces: &[Fragment], reason: &str) -> Result<Vec<CreditNote>> {
    let mut notes = Vec::new();
    for invoice in in_order(pieces) {
        let of = Creditable::lock(tx, invoice, "id").await?;
        let own: Vec<&Fragment> = pieces.iter().filter(|p| p.invoice_id == invoice).collect();
        let parts = parts(tx, &of, &own)?;
        coverage::uncover(
            tx,
            &own.iter()
                .filter(|p| parts.contains_key(&p.id))
                .map(|p| p.id)
                .collect::<Vec<_>>(),
        )
        .await?;
        let gone = coverage::lines_without(tx, &parts.values().map(|p| p.line).collect::<Vec<_>>()).await?;
        let parts = (own.iter().filter_map(|p| parts.get(&p.id)).cloned()).collect();
        let new = NewCreditNote {
            id: CreditNoteId::new(),
            reason: reason.to_owned(),
            parts: whole_lines(parts, &gone),
        };
        notes.extend(issue(tx, &of, new).await?);
    }
    Ok(notes)
}

/// Credits what the time charged from `from` on costs less when the plan's price for a full period falls by `by`. It stays
/// covered.
pub async fn credit_difference(
    tx: &TenantTx,
    service: ServiceId,
    from: DateTime<Utc>,
    by: Money,
    reason: &str,
) -> Result<Vec<CreditNote>> {
    let pieces = coverage::cut_out(tx, service, from, None).await?;
    let mut notes = Vec::new();
    for invoice in in_order(&pieces) {
        let of = Creditable::lock(tx, invoice, "id").await?;
        let mut parts = Vec::new();
        for piece in pieces.iter().filter(|p| p.invoice_id == invoice && p.is_plan_charge()) {
            let Some(share) = share(tx, &of, piece)? else { continue };
            let full = price(&of, piece)?;
            let price = full.checked_sub(by).map_err(Error::internal)?;
            coverage::reprice(tx, piece.id, price).await?;
            parts.push(part(tx, &of, piece, LineCredit::Cheaper { share, by })?);
        }
        let new = NewCreditNote {
            id: CreditNoteId::new(),
            reason: reason.to_owned(),
            parts,
        };
        if !new.parts.is_empty() {
            notes.extend(issue(tx, &of, new).await?);
        }
    }
    Ok(notes)
}

/// Time that a plan's price is charged for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChargedDays {
    pub period: Period,
    /// Of the full period.
    pub share: DayShare,
    pub free_trial: bool,
}

/// The time that plans' prices are charged for from `from` on, invoice by invoice: what a dearer plan costs more is charged
/// for the same. What is charged by hours is not among it.
pub async fn charged_days(tx: &TenantTx, service: ServiceId, from: DateTime<Utc>) -> Result<Vec<ChargedDays>> {
    let pieces = coverage::clipped(tx, service, from).await?;
    let mut charged = Vec::new();
    for invoice in in_order(&pieces) {
        let of = Creditable::lock(tx, invoice, "id").await?;
        for piece in pieces.iter().filter(|p| p.invoice_id == invoice && p.is_plan_charge()) {
            if let Some(share) = share(tx, &of, piece)? {
                let line = of.line(piece.invoice_line_id);
                let version = line.and_then(|l| l.of.line.plan_version.as_ref());
                charged.push(ChargedDays {
                    period: piece.period()?,
                    share,
                    free_trial: version.is_some_and(|v| v.free_trial),
                });
            }
        }
    }
    Ok(charged)
}

/// At what some charged time of a plan stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceOfTime {
    /// What a full period costs by the line that charges it.
    pub own: Money,
    /// With the differences that dearer plans were charged by; None where one does not go with all of it.
    pub in_all: Option<Money>,
    pub inclusive: bool,
    pub tax_code: String,
}

/// At what prices the service's time stands that plans are charged for from `from` on.
pub async fn prices_from(tx: &TenantTx, service: ServiceId, from: DateTime<Utc>) -> Result<Vec<PriceOfTime>> {
    let pieces = coverage::clipped(tx, service, from).await?;
    let (mut plans, mut differences) = (Vec::new(), Vec::new());
    for invoice in in_order(&pieces) {
        let of = Creditable::lock(tx, invoice, "id").await?;
        for piece in pieces.iter().filter(|p| p.invoice_id == invoice) {
            match of.line(piece.invoice_line_id) {
                Some(line) if piece.is_plan_charge() => plans.push((piece, price(&of, piece)?, line.of.line.clone())),
                Some(_) if piece.is_difference() => differences.push((piece, price(&of, piece)?)),
                _ => {}
            }
        }
    }
    let with_differences = |piece: &Fragment, own: Money| {
        let mut over = differences
            .iter()
            .filter(|(d, _)| d.starts_at < piece.ends_at && d.ends_at > piece.starts_at);
        over.try_fold(Some(own), |sum, (difference, price)| {
            let all = difference.starts_at <= piece.starts_at && difference.ends_at >= piece.ends_at;
            sum.filter(|_| all).map(|sum| sum.checked_add(*price)).transpose()
        })
    };
    plans
        .into_iter()
        .map(|(piece, own, line)| {
            Ok(PriceOfTime {
                own,
                in_all: with_differences(piece, own).map_err(Error::internal)?,
                inclusive: line.inclusive,
                tax_code: line.treatment.code,
            })
        })
        .collect()
}

fn in_order(pieces: &[Fragment]) -> Vec<InvoiceId> {
    let mut seen = BTreeSet::new();
    pieces.iter().map(|p| p.invoice_id).filter(|i| seen.insert(*i)).collect()
}

/// By the piece that is credited.
fn parts(tx: &TenantTx, of: &Creditable, pieces: &[&Fragment]) -> Result<HashMap<Uuid, CreditedPart>> {
    let mut parts = HashMap::new();
    for piece in pieces {
        if let Some(share) = share(tx, of, piece)? {
            let price = match piece.price {
                Some(price) => Some(of.invoice.money(price)?),
                None => None,
            };
            parts.insert(piece.id, part(tx, of, piece, LineCredit::Days { share, price })?);
        }
    }
    Ok(parts)
}

fn part(tx: &TenantTx, of: &Creditable, piece: &Fragment, credit: LineCredit) -> Result<CreditedPart> {
    let line = of.line(piece.invoice_line_id);
    let line = line.ok_or_else(|| Error::internal("covered by a line of another invoice"))?;
    let period = piece.period()?;
    let zone = Zone::from(tx.tenant().timezone());
    let (first, after) = (zone.local_date(period.start()), zone.local_date(period.end()));
    let name = line
        .line
        .description
        .rsplit_once(", ")
        .map_or(line.line.description.as_str(), |(name, _)| name);
    Ok(CreditedPart {
        line: line.line.id,
        credit,
        description: format!("{name}, {first} to {}", after.pred_opt().unwrap_or(after)),
        period: Some(period),
    })
}

/// The days of a piece as a share of the full period. None for hours. Where the charged period was moved to one of another
/// number of days, its price is spread over those.
fn share(tx: &TenantTx, of: &Creditable, piece: &Fragment) -> Result<Option<DayShare>> {
    let line = of.line(piece.invoice_line_id);
    let Some(Charge::Period { days: Some(charged), .. }) = line.map(|l| &l.of.line.charge) else {
        return Ok(None);
    };
    let zone = Zone::from(tx.tenant().timezone());
    let days = u32::try_from(zone.days_in(piece.period()?)).map_err(Error::internal)?;
    if days == 0 {
        return Ok(None);
    }
    let spread = piece.spread.map(u32::try_from).transpose().map_err(Error::internal)?;
    let share = match spread.filter(|spread| *spread != charged.charged()) {
        None => DayShare::new(days, charged.total()),
        Some(spread) => charged.part(days, spread),
    };
    share.map(Some).map_err(Error::internal)
}

/// What a full period costs on the days of a piece.
fn price(of: &Creditable, piece: &Fragment) -> Result<Money> {
    let line = of.line(piece.invoice_line_id);
    match (piece.price, line.map(|l| &l.of.line.charge)) {
        (Some(price), _) => of.invoice.money(price),
        (None, Some(Charge::Period { price, .. })) => Ok(*price),
        _ => Err(Error::internal("covered by a line that charges no time")),
    }
}

/// A line of which no time is charged any more is credited to the last minor unit, whatever its parts were rounded to.
fn whole_lines(mut parts: Vec<CreditedPart>, gone: &[InvoiceLineId]) -> Vec<CreditedPart> {
    for n in 0..parts.len() {
        let line = parts[n].line;
        let last = !parts[n + 1..].iter().any(|later| later.line == line);
        if last && gone.contains(&line) {
            parts[n].credit = LineCredit::AllLeft;
        }
    }
    parts
}

impl Fragment {
    pub(in crate::billing) fn period(&self) -> Result<Period> {
        Period::new(self.starts_at, self.ends_at).map_err(Error::internal)
    }
}
