//! Subscribers, branding and routers: GraphQL in, answers out.

mod branding;
mod buyers;
mod ground;
mod nas;
mod subscriber_lists;
mod subscribers;
