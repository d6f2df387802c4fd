//! Nodes of the bus over the memory and TCP transports.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
mod exchange;
mod finding;
mod founding;
mod hostile;
mod lifetime;
mod panics;
mod policy;
mod pressure;
mod requests;
mod slot;
