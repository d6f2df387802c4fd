//! Real processes over TCP on loopback.
#![cfg(unix)]

mod bad_input;
mod deaths;
mod everybody;
mod finding;
mod leaving;
mod odd_input;
mod refused;
mod returns;
