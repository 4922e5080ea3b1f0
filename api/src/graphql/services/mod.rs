mod change;
mod inputs;
mod mutation;
mod pause;
mod preview;
mod query;
pub mod types;

pub use mutation::ServicesMutation;
pub use preview::{PreviewDocument, PreviewQuery};
pub use query::{ServicesQuery, find, of_subscriber};
pub use types::{Service, ServiceConnection, ServiceStatus};
