//! The suite over the simplest topology.

use tertulia_sim::conformance::{FullMesh, topology};

#[test]
fn the_full_mesh_conforms() {
    let options = topology::Options { nodes: 6, seeds: 3, ..topology::Options::default() };
    let report = topology::topology(&|_| Box::new(FullMesh::default()), &options);
    println!("{report}");
    assert!(report.passed(), "{report}");
}
