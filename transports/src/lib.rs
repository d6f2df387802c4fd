//! Transports: how records travel between two members.
