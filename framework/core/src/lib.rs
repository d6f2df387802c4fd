//! The pure core of Tertulia.

pub mod auth;
pub mod config;
pub mod engine;
pub mod frame;
pub mod id;
pub mod message;
pub mod parcel;
pub mod peers;
pub mod rng;
pub mod time;
pub mod topology;
pub mod units;
pub mod wire;
