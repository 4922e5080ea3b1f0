//! HTTP, GraphQL, worker and command line over `trunkline-domain`. No business rule lives here.

pub mod graphql;
