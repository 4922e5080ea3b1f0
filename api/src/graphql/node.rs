use async_graphql::{Context, ID, Interface, Object};
use trunkline_domain::kernel::ids::{
    AddonId, BillingRunId, CreditNoteId, DirectorId, DomainId, GlobalId, InvoiceId, JobId, NasId, PaymentId, PlanId,
    RadiusSessionId, ServiceId, StaffId, SubscriberId, TenantId, kind_of,
};

use super::addons::{self, Addon};
use super::billing::{self, BillingRun, CreditNote, Invoice};
use super::ctx::{CtxExt, RequestCtx};
use super::error::ApiResult;
use super::identity::{self, Staff};
use super::ids;
use super::jobs::{self, Job};
use super::network::{self, Nas};
use super::payments::{self, Payment};
use super::plans::{self, Plan};
use super::radius::{self, RadiusSession};
use super::services::{self, Service};
use super::subscribers::{self, Subscriber};
use super::tenants::{self, Director, Domain, Tenant};

/// Anything that has an id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Names it everywhere."))]
pub enum Node {
    Tenant(Tenant),
    Director(Director),
    Domain(Domain),
    Staff(Staff),
    Plan(Plan),
    Addon(Addon),
    Subscriber(Subscriber),
    Nas(Nas),
    Invoice(Invoice),
    CreditNote(CreditNote),
    BillingRun(BillingRun),
    Service(Service),
    RadiusSession(RadiusSession),
    Payment(Payment),
    Job(Job),
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its id; null when there is none that you may see.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The `id` of anything.")] id: ID) -> ApiResult<Option<Node>> {
        match find(ctx.rq(), &id).await {
            // What another host serves, or other staff may see, is for this caller as if it were not there.
            Err(e) if e.is_forbidden() => Ok(None),
            found => found,
        }
    }
}

async fn find(rq: &RequestCtx, id: &ID) -> ApiResult<Option<Node>> {
    match kind_of(id) {
        Some(TenantId::KIND) => Ok(tenants::find(rq, id).await?.map(Node::Tenant)),
        Some(DirectorId::KIND) => Ok(tenants::find_director(rq, id).await?.map(Node::Director)),
        Some(DomainId::KIND) => Ok(tenants::find_domain(rq, id).await?.map(Node::Domain)),
        Some(StaffId::KIND) => Ok(identity::find_staff(rq, id).await?.map(Node::Staff)),
        Some(PlanId::KIND) => Ok(plans::find(rq, id).await?.map(Node::Plan)),
        Some(AddonId::KIND) => Ok(addons::find(rq, id).await?.map(Node::Addon)),
        Some(SubscriberId::KIND) => Ok(subscribers::find(rq, id).await?.map(Node::Subscriber)),
        Some(NasId::KIND) => Ok(network::find(rq, id).await?.map(Node::Nas)),
        Some(InvoiceId::KIND) => Ok(billing::find(rq, id).await?.map(Node::Invoice)),
        Some(CreditNoteId::KIND) => Ok(billing::find_credit_note(rq, id).await?.map(Node::CreditNote)),
        Some(BillingRunId::KIND) => Ok(billing::find_run(rq, id).await?.map(Node::BillingRun)),
        Some(ServiceId::KIND) => Ok(services::find(rq, id).await?.map(Node::Service)),
        Some(RadiusSessionId::KIND) => Ok(radius::find_session(rq, id).await?.map(Node::RadiusSession)),
        Some(JobId::KIND) => Ok(jobs::find(rq, id).await?.map(Node::Job)),
        Some(PaymentId::KIND) => Ok(payments::find(rq, id).await?.map(Node::Payment)),
        _ => ids::query::<PlanId>(id).map(|_| None),
    }
}
