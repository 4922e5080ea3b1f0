//! ISPs: their provisioning, hosts, suspension and owners. Owns `platform.tenant`, `platform.domain` and `platform.director`.

pub mod template;
