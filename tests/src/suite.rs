//! Trunkline tested from outside: real PostgreSQL, real FreeRADIUS, GraphQL in and out. One binary, so that all suites
//! share one cluster and one template database (`harness`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where its ground gives way")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::type_complexity,
    reason = "tests print figures and list cases"
)]

#[allow(dead_code, unused_imports, reason = "what suites share, whether or not all of it is used")]
mod harness;

mod audit;
mod billing;
mod books;
mod contract;
mod credits;
mod crm;
mod demo;
mod docs;
mod domains;
mod doors;
mod dunning;
mod events;
mod front;
mod fuzz;
mod identity;
mod isolation;
mod jobs;
mod keys;
mod limits;
mod migrations;
mod operations;
mod outages;
mod payments;
mod pdf;
mod people;
mod prices;
mod radius;
mod release;
mod replicas;
mod services;
mod storm;
mod tenants;
mod tidy;
mod walls;
