mod query;
pub mod types;

pub use query::{RadiusQuery, find_session};
pub use types::{OnlineOf, RadiusSession, Usage};
