//! Group messaging without a server.

pub mod bus;
pub mod codec;
pub mod crypto;
pub mod link;
pub mod profile;
pub mod store;
