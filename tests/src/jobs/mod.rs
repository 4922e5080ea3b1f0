//! Jobs and the outbox: once each, fairly, whatever dies on the way.

mod desk;
mod fair;
mod kill;
mod lease;
mod once;
pub mod probe;
mod throughput;
