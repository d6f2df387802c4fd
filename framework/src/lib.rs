//! Group messaging without a server.

pub mod crypto;
pub mod link;
