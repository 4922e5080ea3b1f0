//! The GraphQL API. A folder per capability mirrors `domain`; here is what they share.

pub mod billing;
pub mod branding;
pub mod ctx;
pub mod depth;
pub mod error;
pub mod identity;
pub mod ids;
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

/// Levels of fields that one document may nest, introspection aside.
const MAX_DEPTH: usize = 10;
/// Fields that one document may cost: a list counts its page size times what is asked of one node.
const MAX_COMPLEXITY: usize = 30_000;

#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    identity::IdentityQuery,
    identity::StaffQuery,
    identity::SessionQuery,
    tenants::TenantsQuery,
    branding::BrandingQuery,
    plans::PlansQuery,
    subscribers::SubscribersQuery,
    network::NetworkQuery,
    billing::BillingQuery,
    services::ServicesQuery,
    radius::RadiusQuery,
    payments::PaymentsQuery,
);

#[derive(MergedObject, Default)]
pub struct Mutation(
    identity::StaffMutation,
    identity::SessionMutation,
    identity::PasswordMutation,
    tenants::TenantsMutation,
    branding::BrandingMutation,
    plans::PlansMutation,
    subscribers::SubscribersMutation,
    network::NetworkMutation,
    billing::BillingMutation,
    services::ServicesMutation,
    payments::PaymentsMutation,
);

pub type ApiSchema = Schema<Query, Mutation, EmptySubscription>;

pub fn schema() -> ApiSchema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .limit_complexity(MAX_COMPLEXITY)
        .limit_recursive_depth(64)
        .limit_directives(20)
        .extension(depth::DepthLimit(MAX_DEPTH))
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
