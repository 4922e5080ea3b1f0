//! What `domain` declares for the outside world, over the network.

pub mod dns;
