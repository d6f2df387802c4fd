//! Group messaging without a server.

pub mod profile;
