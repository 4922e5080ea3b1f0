//! HTTP, GraphQL, worker and command line over `trunkline-domain`. No business rule lives here.

pub mod embedded;
pub mod freeradius;
pub mod graphql;
pub mod tether;
