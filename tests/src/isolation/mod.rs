//! Nobody reaches what is not theirs, over everything that the schema serves. The served SDL drives it: a new field,
//! mutation, argument or kind of id is tried without being written down here, and what the generator does not know fails.

mod foreign;
pub mod inputs;
mod matrix;
pub mod schema;
pub mod world;
