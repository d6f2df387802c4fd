//! Group messaging without a server.
