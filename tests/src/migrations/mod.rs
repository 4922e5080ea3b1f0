//! Migrations at scale: steps of a release that does not exist yet are run over real ISPs.

mod drift;
mod kill;
mod remedy;
mod runner;
mod steps;
