//! Trunkline tested from outside: real PostgreSQL, real FreeRADIUS, GraphQL in and out. One binary, so that all suites
//! share one cluster and one template database (`harness`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where its ground gives way")]

mod harness;

mod billing;
mod contract;
mod crm;
mod doors;
mod isolation;
mod payments;
mod storm;
mod tidy;
mod walls;
