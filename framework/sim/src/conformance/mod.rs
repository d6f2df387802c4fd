//! Conformance suites: what a plug-in must show before it is shipped.
//!
//! A suite is a function that takes the plug-in and returns a report of named checks. It never panics and needs no
//! test framework, so a crate outside this workspace calls it in a test of its own.

mod cases;
pub mod crypto;
mod mesh;
mod report;
pub mod topology;
pub mod transport;

pub use mesh::FullMesh;
pub use report::{Check, Report};
