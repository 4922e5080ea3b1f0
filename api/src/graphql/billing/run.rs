use async_graphql::{Context, Enum, ID, InputObject, Object};
use trunkline_domain::Error;
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::runs::{self, StartBillingRun, billing_run};

use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::page::connection;
use crate::graphql::scalars::{Date, DateTime, Money};
use crate::graphql::services::Service;
use crate::graphql::{ids, page};

/// Where a piece of work stands that takes its time.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "billing_run::OperationStatus")]
pub enum OperationStatus {
    /// Asked for; it has not begun.
    Queued,
    /// Under way.
    Running,
    /// It has done all that there was to do.
    Succeeded,
    /// It could not go on and was given up.
    Failed,
    /// It was called off, as when the platform suspends the ISP; another run takes it up once the ISP is open again.
    Cancelled,
}

/// A run over what is due by a day: services begin, are charged for their next period, expire or end. The daily run of an ISP
/// is one.
#[derive(Clone)]
pub struct BillingRun(pub runs::BillingRun);

impl From<runs::BillingRun> for BillingRun {
    fn from(run: runs::BillingRun) -> Self {
        Self(run)
    }
}

/// A run over what is due by a day: services begin, are charged for their next period, expire or end. The daily run of an ISP
/// is one.
#[Object]
impl BillingRun {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.0.id)
    }

    /// What is due by this day of the ISP's calendar.
    async fn billing_date(&self) -> Date {
        Date(self.0.billing_date)
    }

    /// Whether it only counts what a run would issue, and writes nothing.
    async fn dry_run(&self) -> bool {
        self.0.dry_run
    }

    /// Where it stands.
    async fn status(&self) -> OperationStatus {
        self.0.status.into()
    }

    /// When it was asked for.
    async fn requested_at(&self) -> DateTime {
        DateTime(self.0.requested_at)
    }

    /// When it began; null while it is queued.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.started_at.map(DateTime)
    }

    /// When it ended; null until then.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }

    /// How many services there were to look at when it began; `servicesConsidered` comes near it while the run goes on.
    async fn services_due(&self) -> i32 {
        self.0.services_due
    }

    /// How many services it has looked at.
    async fn services_considered(&self) -> i32 {
        self.0.services_considered
    }

    /// How many invoices it has issued; a dry run: would have.
    async fn invoices_issued(&self) -> i32 {
        self.0.invoices_issued
    }

    /// Services that could not be billed, or after the run not brought in line with a payment or other settings; no other is
    /// affected. The next run tries them again.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn failures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<BillingFailureConnection> {
        let request = PageRequest::new(first, after.as_deref())?;
        let (id, wanted) = (self.0.id, page::wants_total(ctx));
        let (rows, total) = ctx
            .rq()
            .read(async move |tx| {
                let rows = billing_run::failures(tx, id, request.clone()).await?;
                let total = match wanted {
                    true => Some(billing_run::count_failures(tx, id).await?),
                    false => None,
                };
                Ok((rows, total))
            })
            .await?;
        Ok(BillingFailureConnection::of(ctx, rows, total, |f| f.service_id))
    }

    /// What the invoices come to.
    async fn total(&self) -> ApiResult<Money> {
        Ok(self.0.total()?.into())
    }
}

connection!(BillingRunConnection, BillingRunEdge, BillingRun);

/// A service that a run could not bill.
pub struct BillingFailure(billing_run::BillingFailure);

impl From<billing_run::BillingFailure> for BillingFailure {
    fn from(failure: billing_run::BillingFailure) -> Self {
        Self(failure)
    }
}

/// A service that a run could not bill.
#[Object]
impl BillingFailure {
    /// Which.
    async fn service(&self, ctx: &Context<'_>) -> ApiResult<Service> {
        let found = ctx.rq().loader().load_one(self.0.service_id).await?;
        Ok(Service(found.ok_or(Error::Forbidden)?))
    }

    /// What is wrong, as the codes of user errors say it, such as INVALID_STATE; INTERNAL: nothing that the ISP can mend.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// What is wrong, for people.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// When it was tried.
    async fn failed_at(&self) -> DateTime {
        DateTime(self.0.failed_at)
    }

    /// When a later run brought the service up to date; null until then.
    async fn resolved_at(&self) -> Option<DateTime> {
        self.0.resolved_at.map(DateTime)
    }
}

connection!(BillingFailureConnection, BillingFailureEdge, BillingFailure);

/// Running the same date again issues nothing twice; a date already queued or running answers with that run.
#[derive(InputObject)]
pub struct BillingRunStartInput {
    /// Default: today in the tenant's time zone; not later than that.
    billing_date: Option<Date>,
    /// Only counts what the run would issue: no writes.
    #[graphql(default)]
    dry_run: bool,
}

impl From<BillingRunStartInput> for StartBillingRun {
    fn from(input: BillingRunStartInput) -> Self {
        Self {
            billing_date: input.billing_date.map(|date| date.0),
            dry_run: input.dry_run,
        }
    }
}

payload!(BillingRunStartPayload { billing_run: BillingRun });

/// A run by a global id, for `billingRun` and `node`.
pub async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<BillingRun>> {
    let Some(id) = ids::query(id)? else { return Ok(None) };
    Ok(rq
        .read(async move |tx| billing_run::find(tx, id).await)
        .await?
        .map(BillingRun))
}

/// The runs, the newest first.
pub async fn list(ctx: &Context<'_>, first: i32, after: Option<String>) -> ApiResult<BillingRunConnection> {
    let request = PageRequest::new(first, after.as_deref())?;
    let wanted = page::wants_total(ctx);
    let (rows, total) = ctx
        .rq()
        .read(async move |tx| {
            let rows = billing_run::list(tx, request.clone()).await?;
            let total = match wanted {
                true => Some(billing_run::count(tx).await?),
                false => None,
            };
            Ok((rows, total))
        })
        .await?;
    Ok(BillingRunConnection::of(ctx, rows, total, |r| (r.requested_at, r.id)))
}
