//! ISPs: their opening, hosts, suspension and owners. Owns `platform.tenant`, `platform.domain` and `platform.director`, and
//! `radius.tenant` with them.
//!
//! Every change of an ISP is notified in the transaction that makes it, so that all processes forget what they know of it.

mod directors;
mod directory;
mod domains;
pub mod entity;
mod open;
mod queries;
mod rules;
mod status;
pub mod template;

pub use directors::{
    Director, DirectorKey, check_name as check_director_name, director_count, director_find, director_insert, director_list,
    directors_by_ids,
};
pub use directory::{Directory, Site};
pub use domains::{Domain, TxtResolver, domain_add, domain_find, domain_remove, domain_verify, domains_of};
pub use entity::{TenantDetails, TenantStatus};
pub use open::{New, OpenTenant, Opening, Owner, open};
pub use queries::{TenantFilter, TenantKey, by_ids, count, count_by_status, find, get, list, quarantined};
pub use status::{ensure_open, resume, suspend};
