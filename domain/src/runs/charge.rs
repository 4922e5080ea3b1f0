use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::held::Held;
use super::settle::BeginAgain;
use super::standing::{self, Charge};
use crate::billing::rules::{ActivationPolicy, PrepaidRenewal};
use crate::billing::{self, Invoice, NewInvoice, NewLine, ServiceCharge};
use crate::kernel::calendar::IntervalUnit;
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::event::Job;
use crate::kernel::ids::{InvoiceId, ServiceId};
use crate::plans::{self, BillIn, PaymentMode, Plan};
use crate::services::ServiceState;

/// Looks at one service again at an instant, such as the end of a pass of some hours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefreshService {
    pub service_id: ServiceId,
    pub at: DateTime<Utc>,
}

impl Job for RefreshService {
    const KIND: &'static str = "service.refresh";

    fn dedup_key(&self) -> Option<String> {
        Some(format!("{}@{}", self.service_id, self.at.timestamp()))
    }
}

impl Held {
    /// The time that is to be charged next.
    pub fn next_charge(&self, tx: &TenantTx) -> Result<Charge> {
        let from = self.service.billed_until.or(self.service.anchor_at);
        let from = from.ok_or_else(|| Error::internal(format!("{} has not begun", self.service.id)))?;
        standing::charge_from(&self.schedule(tx)?, from, self.zone(tx)).map_err(Error::internal)
    }

    fn invoice_of(&self, tx: &TenantTx, charge: Charge, plan: &Plan) -> NewInvoice {
        let today = tx.today();
        let due_on = match plan.payment_mode {
            // Due on the day from which it is to give access, however early or late it is invoiced.
            PaymentMode::Prepaid => self.zone(tx).local_date(charge.period.start()).max(today),
            PaymentMode::Postpaid => after(today, self.settings.due_days),
        };
        NewInvoice {
            id: InvoiceId::new(),
            subscriber_id: self.service.subscriber_id,
            due_on,
            lines: vec![NewLine::Period(ServiceCharge {
                service_id: self.service.id,
                subscriber_id: self.service.subscriber_id,
                plan: plan.clone(),
                period: charge.period,
                share: charge.share,
                installation: self.service.installation_address.clone(),
            })],
        }
    }

    /// Invoices the next period, which has not ended, in advance. With `only_if_covered` nothing happens unless credit in
    /// hand pays for it.
    pub async fn charge_in_advance(&mut self, tx: &TenantTx, plan: &Plan, only_if_covered: bool) -> Result<Option<Invoice>> {
        let charge = self.next_charge(tx)?;
        let new = self.invoice_of(tx, charge, plan);
        if only_if_covered && !billing::covered_by_credit(tx, &new).await? {
            return Ok(None);
        }
        let invoice = billing::issue(tx, new).await?;
        self.service.billed_until = Some(charge.period.end());
        self.service.billed_version_id = Some(plan.version_id);
        self.service.next_billing_on = self.advance_billing_on(tx, charge.period.end());
        self.enter_period(tx).await?;
        Ok(Some(invoice))
    }

    /// Invoices the period that was used, and enters the next unless the service is off.
    pub async fn charge_in_arrears(&mut self, tx: &TenantTx) -> Result<Invoice> {
        let charge = self.next_charge(tx)?;
        let invoice = billing::issue(tx, self.invoice_of(tx, charge, &self.plan)).await?;
        self.service.billed_until = Some(charge.period.end());
        if self.service.state.is_on() {
            self.use_on_credit(tx).await?;
        } else {
            self.service.next_billing_on = None;
        }
        Ok(invoice)
    }

    /// Enters the period after what has been charged, to be charged when it has ended.
    pub async fn use_on_credit(&mut self, tx: &TenantTx) -> Result<()> {
        self.set_plan(plans::get(tx, self.service.plan_id).await?);
        let next = self.next_charge(tx)?.period;
        self.service.period_starts_at = Some(next.start());
        self.service.period_ends_at = Some(next.end());
        self.service.next_billing_on = Some(self.zone(tx).local_date(next.end()));
        Ok(())
    }

    /// Moves the period being used on when the next one, charged in advance, has begun.
    pub async fn enter_period(&mut self, tx: &TenantTx) -> Result<()> {
        let (Some(billed_until), now) = (self.service.billed_until, tx.now()) else {
            return Ok(());
        };
        let ended = self.service.period_ends_at.is_none_or(|end| end <= now && end < billed_until);
        if !ended {
            return Ok(());
        }
        let charged = billing::covered(tx, self.service.id).await?;
        let Some(used) = (charged.iter().rev().find(|c| c.starts_at <= now)).or(charged.first()) else {
            return Ok(());
        };
        self.service.period_starts_at = Some(used.starts_at);
        self.service.period_ends_at = Some(used.ends_at);
        if let Some(version) = self.service.billed_version_id.filter(|v| *v != self.plan.version_id) {
            self.set_plan(plans::version(tx, version).await?);
        }
        Ok(())
    }

    pub fn set_plan(&mut self, plan: Plan) {
        self.service.plan_version_id = plan.version_id;
        self.plan = plan;
    }

    /// The day on which what follows `end` is invoiced in advance; none for a pass.
    pub fn advance_billing_on(&self, tx: &TenantTx, end: DateTime<Utc>) -> Option<NaiveDate> {
        let day = before(self.zone(tx).local_date(end), self.settings.renewal_lead_days);
        (!self.is_pass()).then_some(day)
    }

    /// A prepaid plan of some hours. It has no day of renewal: invoiced on and on, it would fill the books with hours that
    /// nobody used. It begins again when credit in hand pays for it.
    fn is_pass(&self) -> bool {
        self.plan.payment_mode == PaymentMode::Prepaid && self.plan.period_unit == IntervalUnit::Hour
    }

    /// Whether a renewal waits for credit in hand.
    pub fn renews_when_covered(&self) -> bool {
        let prepaid = self.plan.payment_mode == PaymentMode::Prepaid;
        prepaid && (self.settings.prepaid_renewal == PrepaidRenewal::WhenCovered || self.is_pass())
    }

    /// Charging goes on after a suspension: postpaid from today, since days without service that were not invoiced are not
    /// charged; prepaid where it ended.
    pub async fn resume_charging(&mut self, tx: &TenantTx) -> Result<()> {
        if !self.service.state.is_on() || self.service.next_billing_on.is_some() {
            return Ok(());
        }
        let today = self.zone(tx).start_of_day(tx.today());
        if self.plan.payment_mode == PaymentMode::Postpaid && self.service.billed_until < Some(today) {
            self.service.billed_until = Some(today);
        }
        match (self.plan.bill_in, self.service.billed_until) {
            (BillIn::Arrears, _) => self.use_on_credit(tx).await,
            (BillIn::Advance, Some(until)) => {
                self.service.next_billing_on = self.advance_billing_on(tx, until);
                Ok(())
            }
            (BillIn::Advance, None) => Ok(()),
        }
    }

    /// A service that is off is not renewed; what it used in arrears is still charged when its period ends.
    pub fn stop_charging(&mut self) {
        if self.plan.bill_in == BillIn::Advance && !self.service.state.is_on() && self.service.state != ServiceState::Pending {
            self.service.next_billing_on = None;
        }
    }

    /// A prepaid service whose time is over and which owes nothing begins again, from today, if credit in hand pays for it;
    /// else it is invoiced, if that is how it is to begin. Days without service are not charged.
    pub async fn begin_again(&mut self, tx: &TenantTx, again: BeginAgain) -> Result<Option<Invoice>> {
        let was = self.service.clone();
        let plan = plans::get(tx, self.service.plan_id).await?;
        let now = tx.now();
        let start = match self.plan.period_unit {
            IntervalUnit::Hour => now,
            _ => self.zone(tx).start_of_day(tx.today()),
        };
        let start = self.service.billed_until.map_or(start, |end| end.max(start));
        self.service.anchor_at = Some(start);
        self.service.billed_until = None;
        let only_if_covered = again == BeginAgain::IfCovered || self.renews_when_covered();
        let invoice = self.charge_in_advance(tx, &plan, only_if_covered).await?;
        match &invoice {
            None => self.service = was,
            Some(_) => self.service.awaits_payment = self.settings.activation == ActivationPolicy::OnPayment,
        }
        Ok(invoice)
    }
}

fn after(date: NaiveDate, days: u32) -> NaiveDate {
    date.checked_add_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MAX)
}

fn before(date: NaiveDate, days: u32) -> NaiveDate {
    date.checked_sub_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MIN)
}
