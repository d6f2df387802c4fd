//! Nodes of the bus over the memory and TCP transports.

mod common;
mod exchange;
mod hostile;
mod lifetime;
mod pressure;
mod requests;
