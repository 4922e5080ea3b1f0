//! What `domain` declares for the outside world: over the network, or in processes of their own.

pub mod dns;
pub mod render;
