//! Group messaging without a server.

pub mod bus;
pub mod codec;
pub mod crypto;
pub mod discovery;
pub mod link;
pub mod profile;
pub mod registry;
pub mod store;
