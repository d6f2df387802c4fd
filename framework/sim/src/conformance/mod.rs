//! Conformance suites: what a plug-in must show before it is shipped.
//!
//! A suite is a function that takes the plug-in and returns which checks it passed, and those that it did not pass
//! and what happened: the first, or all where checks do not build on each other. It does not panic and needs no test
//! framework, so a crate outside this workspace calls it in a test of its own.

mod cases;
pub mod crypto;
mod mesh;
mod report;
pub mod topology;
pub mod transport;

pub use mesh::FullMesh;
pub use report::{Failure, Report};
