//! Nobody reaches what is not theirs, over everything that the schema serves. The served SDL drives it: a new field,
//! mutation, argument or kind of id is tried without being written down here, and what the generator does not know fails.

mod credentials;
mod fields;
mod foreign;
pub mod inputs;
mod matrix;
mod permissions;
mod poison;
pub mod schema;
mod work;
pub mod world;
