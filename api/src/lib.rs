//! HTTP, GraphQL, worker and command line over `trunkline-domain`. No business rule lives here.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod cookies;
mod demo;
pub mod embedded;
pub mod freeradius;
#[allow(dead_code, reason = "the SimpleObject derive makes getters that nobody has to call")]
pub mod graphql;
pub mod http;
mod jobs;
mod keys;
pub mod limits;
mod migrate;
pub mod observe;
pub mod secret;
mod serve;
mod stop;
pub mod tether;
mod turns;
