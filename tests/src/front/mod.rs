//! What a front end, an integrator and an attacker meet at the doors: limits of rate and cost, persisted queries, media types,
//! connections, other sites' pages.

mod connections;
mod cost;
mod lists;
mod pages;
mod persisted;
