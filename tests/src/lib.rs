//! Whole-system tests live in `tests/`; this library holds what they share: groups of members in one process, a
//! network that means no good, chats that are checked word by word, and measures of this process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

pub mod behind;
pub mod fault;
pub mod group;
pub mod keys;
pub mod log;
pub mod lossy;
pub mod process;
#[cfg(unix)]
pub mod program;
pub mod proxy;
pub mod services;
pub mod talk;
pub mod wait;
