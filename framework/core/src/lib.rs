//! The pure core of Tertulia.

pub mod auth;
pub mod config;
pub mod frame;
pub mod id;
pub mod rng;
pub mod time;
pub mod units;
pub mod wire;
