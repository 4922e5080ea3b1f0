//! Running it: the log, metrics, traces, an end in order. With the binary as a process of its own.

mod log;
mod metrics;
pub mod process;
mod shutdown;
mod traces;
