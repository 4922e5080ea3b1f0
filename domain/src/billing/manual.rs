use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::documents::{self, Document};
use super::entity::Invoice;
use super::issue::{NewInvoice, issue};
use super::lines::{NewLine, OneTimeCharge};
use super::pdf::{self, Printable};
use super::{queries, setup};
use crate::kernel::Permission;
use crate::kernel::check::Checks;
use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::{ErrorCode, Result};
use crate::kernel::ids::{InvoiceId, SubscriberId};
use crate::kernel::money::{Currency, Money};

/// An invoice that staff write by hand.
#[derive(Clone, Debug, Serialize)]
pub struct IssueInvoice {
    pub subscriber_id: SubscriberId,
    pub lines: Vec<ManualLine>,
    /// None: as many days from today as the settings say.
    pub due_on: Option<NaiveDate>,
    pub idempotency_key: Uuid,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManualLine {
    pub description: String,
    pub quantity: Decimal,
    /// Tax excluded.
    pub unit_price: Decimal,
    /// Off the price, in percent; known when the invoice is issued, hence before tax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount_percent: Option<Decimal>,
    /// None: internet access.
    pub tax_code: Option<String>,
}

const MAX_LINES: usize = 200;
/// Above these a price or a quantity is a slip of the finger.
const MAX_PRICE: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
const MAX_QUANTITY: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// Issues an invoice over anything that is not a period of a service.
pub async fn issue_manual(tx: &TenantTx, cmd: IssueInvoice) -> Result<Invoice> {
    tx.require(Permission::InvoiceWrite)?;
    let id = InvoiceId::new();
    if let Some(known) = tx.claim_key("invoiceIssue", Some(cmd.idempotency_key), &cmd, id.0).await? {
        return queries::get(tx, InvoiceId(known)).await;
    }
    issue_as(tx, id, cmd.subscriber_id, &cmd.lines, cmd.due_on).await
}

/// Issues an invoice over these lines. The use case has asked for a permission.
pub(super) async fn issue_as(
    tx: &TenantTx,
    id: InvoiceId,
    subscriber_id: SubscriberId,
    lines: &[ManualLine],
    due_on: Option<NaiveDate>,
) -> Result<Invoice> {
    let lines = check(tx, lines, due_on)?;
    let due_on = match due_on {
        Some(day) => day,
        None => setup::due_by_default(tx, &setup::settings(tx).await?.settings)?,
    };
    let new = NewInvoice {
        id,
        subscriber_id,
        due_on,
        lines,
    };
    issue(tx, new).await?;
    queries::get(tx, id).await
}

/// An invoice that was not issued.
#[derive(Clone, Debug)]
pub struct Draft {
    pub document: Document,
    /// As it would look, but for its number.
    pub printable: Printable,
}

/// What [`issue_manual`] would issue: the same, taken back. No number is used up, nobody hears of it.
pub async fn preview_manual(db: &TenantDb, cmd: IssueInvoice) -> Result<Draft> {
    db.rehearse(async move |tx| draft(tx, issue_manual(tx, cmd.clone()).await?).await)
        .await
}

/// What has been issued in a rehearsal.
pub(super) async fn draft(tx: &TenantTx, issued: Invoice) -> Result<Draft> {
    Ok(Draft {
        document: documents::invoice(tx, issued.id).await?,
        printable: pdf::draft(tx, issued).await?,
    })
}

/// Everything that can be seen without looking into the database.
pub(super) fn check(tx: &TenantTx, lines: &[ManualLine], due_on: Option<NaiveDate>) -> Result<Vec<NewLine>> {
    let mut checks = Checks::new();
    match lines.len() {
        0 => checks.add(ErrorCode::Required, "lines", "An invoice needs a line."),
        n => checks.ensure(n <= MAX_LINES, "lines", "An invoice has at most 200 lines."),
    }
    let due_in_time = due_on.is_none_or(|day| day >= tx.today());
    checks.ensure(due_in_time, "dueOn", "Must not be before today.");
    let lines = (lines.iter().take(MAX_LINES).enumerate())
        .map(|(position, line)| line.check(position, tx.tenant().currency(), &mut checks))
        .collect();
    checks.done()?;
    Ok(lines)
}

impl ManualLine {
    fn check(&self, position: usize, currency: Currency, checks: &mut Checks) -> NewLine {
        let at = |field: &str| format!("lines.{position}.{field}");
        let in_range = |value: Decimal, max: Decimal| value <= max;
        checks.ensure(self.quantity > Decimal::ZERO, &at("quantity"), "Must be more than 0.");
        checks.ensure(
            in_range(self.quantity, MAX_QUANTITY),
            &at("quantity"),
            "Is larger than any quantity can be.",
        );
        checks.ensure(self.unit_price >= Decimal::ZERO, &at("unitPrice"), "Must not be negative.");
        checks.ensure(
            in_range(self.unit_price, MAX_PRICE),
            &at("unitPrice"),
            "Is larger than any price can be.",
        );
        let off = self.discount_percent.unwrap_or_default();
        checks.ensure(
            off >= Decimal::ZERO && off <= Decimal::ONE_HUNDRED,
            &at("discountPercent"),
            "Must be 0 to 100.",
        );
        let exact = Money::new(self.unit_price, currency);
        let decimals = format!("Must have at most {} decimals.", currency.scale());
        checks.ensure(exact.is_ok(), &at("unitPrice"), &decimals);
        NewLine::OneTime(OneTimeCharge {
            of: None,
            tax_inclusive: false,
            description: checks.line(&self.description, 200, &at("description")),
            quantity: self.quantity,
            unit_price: exact.map_or(self.unit_price, Money::amount),
            discount_percent: self.discount_percent,
            tax_code: checks.optional_line(self.tax_code.as_deref(), 20, &at("taxCode")),
        })
    }
}
