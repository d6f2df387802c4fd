//! Whole-system tests live in `tests/`; this library holds what they share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

#[cfg(unix)]
pub mod program;
