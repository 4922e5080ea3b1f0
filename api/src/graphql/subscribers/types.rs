use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use trunkline_domain::Result;
use trunkline_domain::kernel::ids::{PlanId, SubscriberId};
use trunkline_domain::kernel::patch::Patch;
use trunkline_domain::services::ServiceStatus as Status;
use trunkline_domain::subscribers::{
    self, CreateSubscriber, SubscriberFilter as Filter, SubscriberOrder as Order, UpdateSubscriber,
};

use super::ahead::Ahead;
use crate::graphql::billing::{self, InvoiceConnection};
use crate::graphql::credits::{self, Deposit, Refund};
use crate::graphql::ctx::{CtxExt, lookup};
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::ids;
use crate::graphql::page::{self, connection};
use crate::graphql::payments::{self, PaymentConnection};
use crate::graphql::scalars::{DateTime, Money, Uuid, patch};
use crate::graphql::services::{self, ServiceConnection, ServiceStatus};

/// Whether somebody is a customer.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "subscribers::SubscriberStatus")]
pub enum SubscriberStatus {
    /// A customer.
    Active,
    /// No longer a customer.
    Closed,
}

/// What a subscriber is for tax, as a buyer. The ISP's tax rules say what follows.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "subscribers::TaxClass")]
pub enum TaxClass {
    /// It bears the taxes that everybody bears.
    Regular,
    /// It bears no tax, e.g. because it holds an exemption, or is supplied under a letter of undertaking.
    Exempt,
    /// The law treats it apart: in India a special economic zone's unit or developer, to which every supply is inter-State.
    Special,
}

/// Where somebody lives or something is installed.
#[derive(SimpleObject, Clone)]
pub struct Address {
    /// House and street.
    pub line1: String,
    /// What else finds the place, such as a floor.
    pub line2: Option<String>,
    /// Town or city.
    pub city: Option<String>,
    /// ISO 3166-2 subdivision without the country, e.g. "KA"; decides the place of supply.
    pub region: Option<String>,
    /// Postal code, as it is written there.
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2
    pub country: String,
}

impl From<subscribers::Address> for Address {
    fn from(a: subscribers::Address) -> Self {
        Self {
            line1: a.line1,
            line2: a.line2,
            city: a.city,
            region: a.region,
            postal_code: a.postal_code,
            country: a.country,
        }
    }
}

/// Where somebody lives or something is installed.
#[derive(InputObject)]
pub struct AddressInput {
    /// House and street.
    pub line1: String,
    /// What else finds the place, such as a floor.
    pub line2: Option<String>,
    /// Town or city.
    pub city: Option<String>,
    /// ISO 3166-2 subdivision without the country, e.g. "KA". In the ISP's own country it must be one that there is; other codes
    /// that the country's tax rules know, such as "29" for "KA", are written as that.
    pub region: Option<String>,
    /// Postal code, as it is written there.
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2
    pub country: String,
}

impl From<AddressInput> for subscribers::Address {
    fn from(a: AddressInput) -> Self {
        Self {
            line1: a.line1,
            line2: a.line2,
            city: a.city,
            region: a.region,
            postal_code: a.postal_code,
            country: a.country,
        }
    }
}

/// A customer of the ISP.
#[derive(Clone)]
pub struct Subscriber {
    pub row: subscribers::Subscriber,
    pub ahead: Ahead,
}

impl From<subscribers::Subscriber> for Subscriber {
    fn from(row: subscribers::Subscriber) -> Self {
        let ahead = Ahead::default();
        Self { row, ahead }
    }
}

// One #[Object] for all capabilities: each adds its resolvers at its place below and keeps its code in its own folder.
/// A customer of the ISP.
#[Object]
impl Subscriber {
    /// Names it everywhere.
    pub async fn id(&self) -> ID {
        ids::out(self.row.id)
    }

    /// Human-facing, at most 12 characters with a check digit, unique within the tenant; also the payment reference.
    async fn account_number(&self) -> &str {
        &self.row.account_number
    }

    /// The person's or company's name.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// Where it is written to.
    async fn email(&self) -> Option<&str> {
        self.row.email.as_deref()
    }

    /// Telephone number, in E.164.
    async fn phone(&self) -> Option<&str> {
        self.row.phone.as_deref()
    }

    /// The buyer's own registration, such as a GSTIN.
    async fn tax_id(&self) -> Option<&str> {
        self.row.tax_id.as_deref()
    }

    /// What it is for tax, as a buyer.
    async fn tax_class(&self) -> TaxClass {
        self.row.tax_class.into()
    }

    /// Where it lives; decides the place of supply.
    async fn address(&self) -> Option<Address> {
        self.row.address.clone().map(Address::from)
    }

    /// Whether it is a customer still.
    async fn status(&self) -> SubscriberStatus {
        self.row.status.into()
    }

    /// Who pays this subscriber's invoices; null = itself.
    async fn bill_to(&self, ctx: &Context<'_>) -> ApiResult<Option<Self>> {
        match self.row.bill_to_id {
            Some(id) => by_id(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Its services, oldest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn services(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<ServiceConnection> {
        match self.ahead.services(first, after.as_deref()) {
            Some(page) => Ok(ServiceConnection::of(ctx, page, None, |s| s.id)),
            None => services::of_subscriber(ctx, self.row.id, first, after.as_deref()).await,
        }
    }

    /// Positive: the subscriber owes. Negative: credit in hand. Derived from the ledger.
    async fn balance(&self, ctx: &Context<'_>) -> ApiResult<Option<Money>> {
        match self.ahead.balance {
            Some(balance) => Ok(Some(balance.into())),
            None => payments::balance_of(ctx, self.row.id).await.map(Some),
        }
    }

    /// The invoices that it pays, newest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<InvoiceConnection>> {
        billing::invoices_of(ctx, self.row.id, first, after).await.map(Some)
    }

    /// What it has paid, newest first.
    #[graphql(complexity = "page::cost(first, child_complexity)")]
    async fn payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, 0 to 100.")] first: i32,
        #[graphql(desc = "Begins behind the object that this cursor names.")] after: Option<String>,
    ) -> ApiResult<Option<PaymentConnection>> {
        payments::payments_of(ctx, self.row.id, first, after).await.map(Some)
    }

    /// What was paid back to it, the newest first; the last hundred.
    #[graphql(complexity = "5 + 2 * child_complexity")]
    async fn refunds(&self, ctx: &Context<'_>) -> ApiResult<Option<Vec<Refund>>> {
        credits::refunds_of(ctx, self.row.id).await.map(Some)
    }

    /// What is or was held for it, the newest first; the last hundred.
    #[graphql(complexity = "5 + 2 * child_complexity")]
    async fn deposits(&self, ctx: &Context<'_>) -> ApiResult<Option<Vec<Deposit>>> {
        credits::deposits_of(ctx, self.row.id).await.map(Some)
    }

    /// When it was written down.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// Pass it as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.row.version
    }
}

lookup!(SubscriberId => subscribers::Subscriber, subscribers::by_ids, |subscriber| subscriber.id);
connection!(SubscriberConnection, SubscriberEdge, Subscriber);

/// The subscriber that another object refers to; none where a subscriber's portal login may not see it.
pub async fn by_id(ctx: &Context<'_>, id: SubscriberId) -> ApiResult<Option<Subscriber>> {
    Ok(ctx.rq().loader().load_one(id).await?.map(Subscriber::from))
}

/// What is absent does not restrict the list.
#[derive(InputObject, Default)]
pub struct SubscriberFilter {
    /// Matches name, account number, phone, e-mail or user name.
    search: Option<String>,
    /// Customers still, or no longer.
    status: Option<SubscriberStatus>,
    /// With a service of this plan that is not terminated, unless `serviceStatus` asks for those.
    plan_id: Option<ID>,
    /// With a service in this state; with `planId`, the same service.
    service_status: Option<ServiceStatus>,
    /// Whether it owes money. Needs the right to read invoices.
    owing: Option<bool>,
}

impl SubscriberFilter {
    pub fn filter(self) -> ApiResult<Filter> {
        // No plan has the nil id: an id of another kind matches nobody.
        let plan_id = |id: ID| ids::query(&id).map(|known| known.unwrap_or(PlanId(uuid::Uuid::nil())));
        Ok(Filter {
            search: self.search,
            status: self.status.map(Into::into),
            plan_id: self.plan_id.map(plan_id).transpose()?,
            service_status: self.service_status.map(|status| Status::from(status).to_string()),
            owing: self.owing,
        })
    }
}

/// What subscribers can be ordered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "subscribers::SubscriberSort")]
pub enum SubscriberSort {
    /// When they were written down.
    CreatedAt,
    /// Their names.
    Name,
    /// Their account numbers.
    AccountNumber,
}

/// Which end of an order comes first.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum SortDirection {
    /// The smallest, or oldest.
    Asc,
    /// The largest, or newest.
    Desc,
}

/// An order of subscribers.
#[derive(InputObject)]
pub struct SubscriberOrder {
    /// What they are ordered by.
    by: SubscriberSort,
    /// Which end comes first.
    direction: SortDirection,
}

impl From<SubscriberOrder> for Order {
    fn from(order: SubscriberOrder) -> Self {
        Self {
            by: order.by.into(),
            descending: order.direction == SortDirection::Desc,
        }
    }
}

/// A new customer.
#[derive(InputObject)]
pub struct SubscriberCreateInput {
    /// The person's or company's name.
    name: String,
    /// Where it is written to.
    email: Option<String>,
    /// E.164, or as dialled in the ISP's country.
    phone: Option<String>,
    /// The buyer's own registration, such as a GSTIN; in the ISP's country one that its rules know as valid. Where they tax the
    /// registered otherwise than others, whether there is one takes `invoice:write` as well.
    tax_id: Option<String>,
    /// What it is for tax, as a buyer; REGULAR if nothing is said. Another one takes `invoice:write` as well.
    tax_class: Option<TaxClass>,
    /// Where it lives; decides the place of supply.
    address: Option<AddressInput>,
    /// Who is to pay this subscriber's invoices; a subscriber that pays for itself.
    bill_to_id: Option<ID>,
    /// Makes a repeated call answer with the first one's subscriber.
    idempotency_key: Option<Uuid>,
}

impl SubscriberCreateInput {
    pub fn command(self) -> Result<CreateSubscriber> {
        Ok(CreateSubscriber {
            name: self.name,
            email: self.email,
            phone: self.phone,
            tax_id: self.tax_id,
            tax_class: self.tax_class.map(Into::into),
            address: self.address.map(Into::into),
            bill_to_id: self.bill_to_id.map(|id| ids::input(&id, "billToId")).transpose()?,
            key: self.idempotency_key.map(|key| key.0),
        })
    }
}

/// What is absent stays; null clears it.
#[derive(InputObject)]
pub struct SubscriberUpdateInput {
    /// Which subscriber.
    id: ID,
    /// The `version` that you saw; another one is STALE_VERSION.
    expected_version: i32,
    /// The person's or company's name.
    name: MaybeUndefined<String>,
    /// Where it is written to.
    email: MaybeUndefined<String>,
    /// E.164, or as dialled in the ISP's country.
    phone: MaybeUndefined<String>,
    /// The buyer's own registration, such as a GSTIN; in the ISP's country one that its rules know as valid. Where they tax the
    /// registered otherwise than others, whether there is one takes `invoice:write` as well.
    tax_id: MaybeUndefined<String>,
    /// What it is for tax, as a buyer. Counts from the next charge on, of whatever it pays for. A change takes `invoice:write` as
    /// well.
    tax_class: MaybeUndefined<TaxClass>,
    /// Replaces the address as a whole.
    address: MaybeUndefined<AddressInput>,
    /// Null: it pays for itself again.
    bill_to_id: MaybeUndefined<ID>,
}

impl SubscriberUpdateInput {
    pub fn command(self) -> Result<UpdateSubscriber> {
        Ok(UpdateSubscriber {
            id: ids::input(&self.id, "id")?,
            expected_version: self.expected_version,
            name: patch(self.name, |v| v),
            email: patch(self.email, |v| v),
            phone: patch(self.phone, |v| v),
            tax_id: patch(self.tax_id, |v| v),
            tax_class: patch(self.tax_class, Into::into),
            address: patch(self.address, Into::into),
            bill_to_id: match self.bill_to_id {
                MaybeUndefined::Undefined => Patch::Keep,
                MaybeUndefined::Null => Patch::Clear,
                MaybeUndefined::Value(id) => Patch::Set(ids::input(&id, "billToId")?),
            },
        })
    }
}

/// A password for the portal; never the network's.
#[derive(InputObject)]
pub struct SubscriberPasswordSetInput {
    /// Whose.
    pub subscriber_id: ID,
    /// 10 to 200 characters.
    pub password: String,
}

payload!(SubscriberCreatePayload { subscriber: Subscriber });
payload!(SubscriberUpdatePayload { subscriber: Subscriber });
payload!(SubscriberPasswordSetPayload { subscriber: Subscriber });
