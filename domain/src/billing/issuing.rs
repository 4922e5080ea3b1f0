//! Invoices that are computed in memory, one after the other, and written together: those of a part of a billing run, or one
//! alone.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::credit::Taken;
use super::entity::{InvoiceLineKind, TaxRegistration};
use super::issue::NewInvoice;
use super::lines::{NewLine, Supply, place};
use super::parties::{Buyer, Site};
use super::rules::{
    BillingSettings, Charge, ComputedInvoice, ComputedLine, InvoiceTotals, LineError, Place, TaxAmount, TaxRuleSet,
    compute_invoice,
};
use super::{numbers, registrations, setup, write};
use crate::kernel::calendar::{Period, Zone};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{InvoiceId, InvoiceLineId, PlanId, ServiceId, SubscriberId, TaxRegistrationId};
use crate::kernel::money::{Money, MoneyError};
use crate::ledger;
use crate::subscribers::{self, Address, Subscriber};

/// What invoices are computed from, read once, and those that are to be written.
pub struct Issuing {
    settings: BillingSettings,
    rules: TaxRuleSet,
    registrations: Vec<TaxRegistration>,
    subscribers: HashMap<SubscriberId, Subscriber>,
    /// What payers have paid or been credited and no invoice has taken, these included.
    in_hand: HashMap<SubscriberId, Money>,
    drafts: Vec<Draft>,
}

/// What became of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    pub id: InvoiceId,
    pub total: Money,
    /// Nothing is due on it.
    pub paid: bool,
}

/// An invoice as it is going to be written.
pub(super) struct Draft {
    /// What it was computed from.
    pub new: NewInvoice,
    pub id: InvoiceId,
    /// None: it is an invoice of its own.
    pub adds: Option<Adds>,
    pub payer: SubscriberId,
    /// The payer as the document names it: JSON.
    pub buyer: String,
    pub due_on: NaiveDate,
    pub registration: Option<TaxRegistration>,
    /// Of its first line; None: as the invoice that it adds to.
    pub place: Option<Place>,
    pub totals: InvoiceTotals,
    pub taken: Option<Taken>,
    pub lines: Vec<DraftLine>,
}

struct Computed {
    place: Option<Place>,
    registration: Option<TaxRegistration>,
    invoice: ComputedInvoice,
}

/// What makes it a debit note.
pub(super) struct Adds {
    pub to: InvoiceId,
    pub reason: String,
}

pub(super) struct DraftLine {
    pub id: InvoiceLineId,
    pub kind: InvoiceLineKind,
    pub description: String,
    pub subscriber_id: SubscriberId,
    pub service_id: Option<ServiceId>,
    pub plan_id: Option<PlanId>,
    pub quantity: Decimal,
    pub unit_price: Decimal,
    pub discount: Decimal,
    pub amount: Decimal,
    pub tax_code: String,
    pub period: Option<Period>,
    /// Under which charge the period is covered.
    pub covered_as: String,
    /// Over how many days its price is spread, where it charges another number of them.
    pub spread: Option<i32>,
    /// JSON.
    pub explanation: String,
    pub taxes: Vec<TaxAmount>,
}

impl Draft {
    /// What credit in hand settles of it.
    pub fn credited(&self) -> Money {
        let nothing = Money::zero(self.totals.total.currency());
        self.taken.as_ref().map_or(nothing, |t| t.amount)
    }

    pub fn is_paid(&self) -> bool {
        self.credited() == self.totals.total
    }
}

impl Issuing {
    /// Reads what invoices to these subscribers need, and locks them and their payers.
    pub async fn prepare(tx: &TenantTx, subscribers: &[SubscriberId]) -> Result<Self> {
        Self::of(tx, subscribers::lock_with_payers(tx, subscribers).await?).await
    }

    /// As [`Self::prepare`], to see what would be: locks nobody.
    pub async fn look(tx: &TenantTx, subscribers: &[SubscriberId]) -> Result<Self> {
        Self::of(tx, subscribers::with_payers(tx, subscribers).await?).await
    }

    async fn of(tx: &TenantTx, subscribers: Vec<Subscriber>) -> Result<Self> {
        // What goes to somebody who has a payer by now is settled by its own credit.
        let payers: BTreeSet<SubscriberId> = subscribers.iter().flat_map(|s| [s.id, s.payer()]).collect();
        let payers: Vec<SubscriberId> = payers.into_iter().collect();
        Ok(Self {
            settings: setup::settings(tx).await?.settings,
            rules: setup::tax_rules(tx).await?,
            registrations: registrations::all(tx).await?,
            in_hand: ledger::credits_in_hand(tx, &payers).await?,
            subscribers: subscribers.into_iter().map(|s| (s.id, s)).collect(),
            drafts: Vec::new(),
        })
    }

    pub fn settings(&self) -> &BillingSettings {
        &self.settings
    }

    /// How many there are to be written; see [`Self::rewind`].
    pub fn mark(&self) -> usize {
        self.drafts.len()
    }

    /// Forgets the invoices that were added since, and gives back what credit they took.
    pub fn rewind(&mut self, mark: usize) -> Result<()> {
        for draft in self.drafts.split_off(mark) {
            self.give_back(draft.taken)?;
        }
        Ok(())
    }

    fn give_back(&mut self, taken: Option<Taken>) -> Result<()> {
        if let Some(taken) = taken
            && let Some(left) = self.in_hand.get_mut(&taken.payer)
        {
            *left = left.checked_add(taken.amount).map_err(Error::internal)?;
        }
        Ok(())
    }

    /// Whether the payer's credit in hand would settle it whole.
    pub fn covered_by_credit(&self, tx: &TenantTx, new: &NewInvoice) -> Result<bool> {
        let payer = self.payer(new)?.id;
        let computed = self.compute(tx, new)?.invoice;
        Ok(self.in_hand(tx, payer).amount() >= computed.totals.total.amount())
    }

    /// Computes an invoice, which consumes credit in hand; [`Self::write`] issues it.
    pub fn add(&mut self, tx: &TenantTx, new: NewInvoice) -> Result<Issued> {
        let draft = self.draft(tx, new)?;
        let issued = Issued {
            id: draft.id,
            total: draft.totals.total,
            paid: draft.is_paid(),
        };
        self.drafts.push(draft);
        Ok(issued)
    }

    fn draft(&mut self, tx: &TenantTx, new: NewInvoice) -> Result<Draft> {
        let payer = self.payer(&new)?.id;
        let Computed {
            place,
            registration,
            invoice: computed,
        } = self.compute(tx, &new)?;
        let in_hand = self.in_hand(tx, payer);
        let taken = Taken::of(payer, in_hand, new.id, computed.totals.total)?;
        let zone = tx.tenant().timezone();
        let lines_for = new.lines.iter().filter_map(|line| self.subscribers.get(&line.subscriber()?));
        let buyer = Buyer {
            delivered_to: self.delivered_to(&new, payer)?,
            ..Buyer::of_lines(self.subscriber(payer)?, lines_for)
        };
        let buyer = serde_json::to_string(&buyer)?;
        let lines = new.lines.iter().zip(computed.lines);
        let lines = lines.map(|(line, amounts)| draft_line(line, amounts, new.subscriber_id, zone));
        let draft = Draft {
            id: new.id,
            adds: None,
            payer,
            buyer,
            due_on: new.due_on,
            registration,
            place,
            totals: computed.totals,
            lines: lines.collect::<Result<_>>()?,
            taken,
            new,
        };
        if let Some(taken) = &draft.taken {
            let left = in_hand.checked_sub(taken.amount).map_err(Error::internal)?;
            self.in_hand.insert(payer, left);
        }
        Ok(draft)
    }

    /// Brings what one payer is to pay by one day for several subscribers, or at several sites, onto one invoice for each place of
    /// supply, which a document has one of, a line for each of their services.
    /// Postpaid charges only: prepaid time gives access as soon as its own invoice is paid.
    pub fn consolidate(&mut self, tx: &TenantTx) -> Result<()> {
        let drafts = std::mem::take(&mut self.drafts);
        let mut groups: Vec<Vec<Draft>> = Vec::with_capacity(drafts.len());
        let mut of_payer: HashMap<(SubscriberId, NaiveDate, Option<TaxRegistrationId>, Option<Place>), usize> = HashMap::new();
        for draft in drafts {
            if !draft.new.is_postpaid() {
                groups.push(vec![draft]);
                continue;
            }
            let under = draft.registration.as_ref().map(|r| r.id);
            let key = (draft.payer, draft.due_on, under, draft.place.clone());
            let group = *of_payer.entry(key).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(group) => group.push(draft),
                None => groups.push(vec![draft]),
            }
        }
        for mut group in groups {
            if group.len() > 1 && self.is_for_several(&group)? {
                let whole = self.merge(tx, group)?;
                self.drafts.push(whole);
            } else {
                self.drafts.append(&mut group);
            }
        }
        Ok(())
    }

    /// Whether drafts of one payer are for somebody else, or for more than one site.
    fn is_for_several(&self, group: &[Draft]) -> Result<bool> {
        let mut sites = Vec::new();
        for draft in group {
            if draft.new.subscriber_id != draft.payer {
                return Ok(true);
            }
            for line in &draft.new.lines {
                sites.push(self.site(line, draft.payer)?);
            }
        }
        Ok(sites.windows(2).any(|pair| pair[0] != pair[1]))
    }

    fn merge(&mut self, tx: &TenantTx, group: Vec<Draft>) -> Result<Draft> {
        let mut whole: Option<NewInvoice> = None;
        for draft in group {
            self.give_back(draft.taken)?;
            let whole = whole.get_or_insert_with(|| NewInvoice {
                id: draft.id,
                subscriber_id: draft.payer,
                due_on: draft.due_on,
                lines: Vec::new(),
            });
            whole.lines.extend(draft.new.lines);
        }
        let whole = whole.ok_or_else(|| Error::internal("an invoice of no lines"))?;
        let mut draft = self.draft(tx, whole)?;
        for (line, new) in draft.lines.iter_mut().zip(&draft.new.lines) {
            line.description.push_str(&new.site());
        }
        Ok(draft)
    }

    /// How many invoices are to be written, and what they come to.
    pub fn tally(&self) -> (usize, Decimal) {
        (self.drafts.len(), self.drafts.iter().map(|d| d.totals.total.amount()).sum())
    }

    /// Issues what was added, in its order. The numbers are taken last: their series are locked from there on.
    pub async fn write(&mut self, tx: &TenantTx) -> Result<()> {
        let drafts = std::mem::take(&mut self.drafts);
        let series = (numbers::INVOICES, &self.settings.invoice_number_pattern);
        write::all(tx, &self.settings, series, &drafts).await
    }

    fn in_hand(&self, tx: &TenantTx, payer: SubscriberId) -> Money {
        let nothing = Money::zero(tx.tenant().currency());
        self.in_hand.get(&payer).copied().unwrap_or(nothing)
    }

    /// To whom it goes.
    fn payer(&self, new: &NewInvoice) -> Result<&Subscriber> {
        let of = self.subscriber(new.subscriber_id)?;
        match new.lines.iter().any(|line| line.decided().is_some()) {
            true => Ok(of),
            false => self.subscriber(of.payer()),
        }
    }

    /// Where all of an invoice is supplied, if that is not where its payer is.
    fn delivered_to(&self, new: &NewInvoice, payer: SubscriberId) -> Result<Option<Site>> {
        let mut sites = Vec::new();
        let of_services = new
            .lines
            .iter()
            .filter(|line| line.service().is_some() && line.decided().is_none());
        for line in of_services {
            sites.push(self.site(line, new.subscriber_id)?);
        }
        let whole = sites
            .first()
            .copied()
            .flatten()
            .filter(|first| sites.iter().all(|site| *site == Some(*first)));
        let elsewhere = whole.filter(|site| self.subscribers.get(&payer).and_then(|p| p.address.as_ref()) != Some(*site));
        Ok(elsewhere.cloned().map(Site::from))
    }

    /// Where a line is supplied: where its service is installed, else where the subscriber it is for lives.
    fn site<'a>(&'a self, line: &'a NewLine, of_invoice: SubscriberId) -> Result<Option<&'a Address>> {
        match line.installation() {
            Some(installed) => Ok(Some(installed)),
            None => Ok(self.subscriber(line.subscriber().unwrap_or(of_invoice))?.address.as_ref()),
        }
    }

    fn subscriber(&self, id: SubscriberId) -> Result<&Subscriber> {
        self.subscribers.get(&id).ok_or_else(|| Error::not_found("subscriberId"))
    }

    fn compute(&self, tx: &TenantTx, new: &NewInvoice) -> Result<Computed> {
        let places = self.places(tx, new)?;
        // An invoice is issued under one registration: that of its first line's place.
        let first = places.first().cloned();
        let registration = first
            .as_ref()
            .and_then(|place| registrations::for_place(&self.registrations, &self.rules, place));
        let under = registration.map(TaxRegistration::for_rules);
        let payer = self.payer(new)?;
        let mut drafts = Vec::with_capacity(new.lines.len());
        for (position, (line, place)) in new.lines.iter().zip(places).enumerate() {
            let supply = Supply {
                place,
                registration: under.clone(),
                buyer: line.decided().map_or_else(|| payer.into(), |(_, buyer)| buyer),
            };
            let treatment = line.treatment(tx, &self.rules, supply, position)?;
            drafts.push(line.draft(tx, treatment)?);
        }
        let policy = self.settings.invoice_policy(tx.tenant().currency());
        let computed = compute_invoice(drafts, &policy).map_err(|e| match e {
            LineError::Money(MoneyError::OutOfRange) => Error::invalid("lines", "The invoice comes to more than any can."),
            other => Error::internal(other),
        })?;
        Ok(Computed {
            place: first,
            registration: registration.cloned(),
            invoice: computed,
        })
    }

    /// Where each line is supplied, for tax.
    fn places(&self, tx: &TenantTx, new: &NewInvoice) -> Result<Vec<Place>> {
        let places = new.lines.iter().map(|line| {
            if let Some((place, _)) = line.decided() {
                return Ok(place.clone());
            }
            let mut place = place(tx, self.site(line, new.subscriber_id)?);
            if place.country == tx.tenant().country() {
                place.region = place.region.map(|region| self.rules.region(&region));
                if let Some(unknown) = place.region.as_ref().filter(|r| !r.is_empty() && !self.rules.has_region(r)) {
                    let message = format!("{} has no region {unknown}: correct the address.", place.country);
                    return Err(Error::state("", message));
                }
            }
            Ok(place)
        });
        places.collect()
    }
}

/// A part of a period that was moved to one of another number of days is charged as the same part of what it was.
fn spread(charge: &Charge, period: Option<Period>, zone: Tz) -> Result<Option<i32>> {
    let (Charge::Period { days: Some(share), .. }, Some(period)) = (charge, period) else {
        return Ok(None);
    };
    let days = Zone::from(zone).days_in(period);
    let days = (days != i64::from(share.charged())).then_some(days);
    days.map(i32::try_from).transpose().map_err(Error::internal)
}

fn draft_line(line: &NewLine, amounts: ComputedLine, subscriber: SubscriberId, zone: Tz) -> Result<DraftLine> {
    let id = InvoiceLineId::new();
    Ok(DraftLine {
        id,
        kind: line.kind(),
        description: line.description(zone),
        subscriber_id: line.subscriber().unwrap_or(subscriber),
        service_id: line.service(),
        plan_id: line.plan(),
        quantity: amounts.quantity,
        unit_price: amounts.unit_price,
        discount: amounts.discount.amount(),
        amount: amounts.amount.amount(),
        period: line.period(),
        covered_as: line.covered_as(id),
        spread: spread(&amounts.explanation.line.charge, line.period(), zone)?,
        explanation: serde_json::to_string(&amounts.explanation)?,
        tax_code: amounts.explanation.line.treatment.code,
        taxes: amounts.taxes,
    })
}
