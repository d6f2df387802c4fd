//! Conformance suites: what a plug-in must show before it is shipped.
//!
//! A suite is a function that takes the plug-in and returns which checks it passed, or the first one that it did not
//! and what happened. It does not panic and needs no test framework, so a crate outside this workspace calls it in
//! a test of its own.

pub mod crypto;
mod report;
pub mod transport;

pub use report::{Failure, Report};
