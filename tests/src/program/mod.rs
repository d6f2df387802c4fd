//! The programs of this workspace as processes of their own: built once, started in a place of their own, talked to
//! through their standard input, judged by what they write, and killed when the test is over.

mod build;
pub mod check;
mod event;
pub mod group;
pub mod kinds;
mod log;
mod place;
pub mod ring;
mod running;
pub mod star;
mod stutter;
pub mod talk;

pub use event::{Event, Message, Stamped};
pub use log::{PATIENCE, State};
pub use place::{Chat, Output, Place};
pub use running::Running;
pub use rustix::process::Signal;
pub use stutter::Stutter;

/// A number that a longer run gives through the environment.
#[must_use]
pub fn parameter(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")),
        Err(_) => default,
    }
}
