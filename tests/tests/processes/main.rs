//! Real processes over TCP on loopback.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail it")]

mod bad_input;
mod deaths;
mod everybody;
mod finding;
mod leaving;
mod odd_input;
mod refused;
mod returns;
mod services;
