//! Services from outside: they begin, are charged, run out, are switched off and on, and RADIUS hears of it at once.

mod access;
mod activation;
pub mod bench;
mod changes;
mod differences;
mod inputs;
mod interruptions;
mod kill;
mod lives;
mod off;
mod pauses;
mod pausing;
mod renewal;
mod rush;
mod use_of_network;
mod year;
