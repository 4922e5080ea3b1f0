//! The GraphQL API. A folder per capability mirrors `domain`; here is what they share.

pub mod addons;
pub mod audit;
pub mod billing;
pub mod branding;
pub mod cost;
pub mod credits;
pub mod ctx;
pub mod discounts;
pub mod document;
pub mod dunning;
pub mod error;
pub mod identity;
pub mod ids;
pub mod jobs;
pub mod ledger;
pub mod network;
pub mod node;
pub mod page;
pub mod partial;
pub mod payments;
pub mod plans;
pub mod radius;
pub mod scalars;
pub mod services;
pub mod subscribers;
pub mod tenants;

use async_graphql::{EmptySubscription, MergedObject, Schema};

/// What can be read. An id of another tenant does not exist here; what you may not see is null, with an error beside it.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    identity::IdentityQuery,
    identity::StaffQuery,
    identity::SessionQuery,
    identity::PeopleQuery,
    tenants::TenantsQuery,
    branding::BrandingQuery,
    plans::PlansQuery,
    subscribers::SubscribersQuery,
    network::NetworkQuery,
    billing::BillingQuery,
    billing::InvoicePreviewQuery,
    billing::InvoiceDraftQuery,
    services::ServicesQuery,
    addons::AddonsQuery,
    discounts::DiscountsQuery,
    services::PreviewQuery,
    radius::RadiusQuery,
    payments::PaymentsQuery,
    ledger::LedgerQuery,
    credits::CreditsQuery,
    jobs::JobsQuery,
    audit::AuditQuery,
    dunning::DunningQuery,
);

/// What can be done. Each takes one `input` and answers with a payload whose `userErrors` say what stood in the way.
#[derive(MergedObject, Default)]
pub struct Mutation(
    identity::StaffMutation,
    identity::SessionMutation,
    identity::PasswordMutation,
    identity::PeopleMutation,
    tenants::TenantsMutation,
    branding::BrandingMutation,
    plans::PlansMutation,
    subscribers::SubscribersMutation,
    network::NetworkMutation,
    billing::BillingMutation,
    billing::InvoiceDraftMutation,
    services::ServicesMutation,
    addons::AddonsMutation,
    discounts::DiscountsMutation,
    payments::PaymentsMutation,
    ledger::LedgerMutation,
    credits::CreditsMutation,
    jobs::JobsMutation,
    dunning::DunningMutation,
);

pub type ApiSchema = Schema<Query, Mutation, EmptySubscription>;

pub fn schema() -> ApiSchema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .limit_complexity(cost::MAX_COST)
        .limit_recursive_depth(64)
        .limit_directives(20)
        .extension(cost::Costs)
        .extension(partial::PartialResults)
        .finish()
}

/// The served schema as text: what `schema.graphql` holds.
pub fn sdl() -> String {
    schema().sdl_with_options(
        async_graphql::SDLExportOptions::new()
            .sorted_fields()
            .sorted_arguments()
            .sorted_enum_items(),
    )
}
