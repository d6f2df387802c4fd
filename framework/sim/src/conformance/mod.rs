//! Suites that a plug-in must pass before it is used, callable from any crate. A failure has a name and a reason; a
//! suite never panics.

mod cases;
mod mesh;
mod report;
pub mod topology;

pub use mesh::FullMesh;
pub use report::{Check, Report};
