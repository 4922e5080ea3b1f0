use async_graphql::{Context, ID, Interface, Object};
use trunkline_domain::kernel::ids::{
    GlobalId, InvoiceId, NasId, PaymentId, PlanId, RadiusSessionId, ServiceId, SubscriberId, kind_of,
};

use super::billing::{self, Invoice};
use super::ctx::CtxExt;
use super::error::ApiResult;
use super::ids;
use super::network::{self, Nas};
use super::payments::{self, Payment};
use super::plans::{self, Plan};
use super::radius::{self, RadiusSession};
use super::services::{self, Service};
use super::subscribers::{self, Subscriber};

/// Anything that has an id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"))]
pub enum Node {
    Plan(Plan),
    Subscriber(Subscriber),
    Nas(Nas),
    Invoice(Invoice),
    Service(Service),
    RadiusSession(RadiusSession),
    Payment(Payment),
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its id; null when there is none that you may see.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Node>> {
        let rq = ctx.rq();
        match kind_of(&id) {
            Some(PlanId::KIND) => Ok(plans::find(rq, &id).await?.map(Node::Plan)),
            Some(SubscriberId::KIND) => Ok(subscribers::find(rq, &id).await?.map(Node::Subscriber)),
            Some(NasId::KIND) => Ok(network::find(rq, &id).await?.map(Node::Nas)),
            Some(InvoiceId::KIND) => Ok(billing::find(rq, &id).await?.map(Node::Invoice)),
            Some(ServiceId::KIND) => Ok(services::find(rq, &id).await?.map(Node::Service)),
            Some(RadiusSessionId::KIND) => Ok(radius::find_session(rq, &id).await?.map(Node::RadiusSession)),
            Some(PaymentId::KIND) => Ok(payments::find(rq, &id).await?.map(Node::Payment)),
            _ => ids::query::<PlanId>(&id).map(|_| None),
        }
    }
}
