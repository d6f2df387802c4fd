//! The suite and campaigns over the simplest topology.

use std::time::Duration;

use tertulia_sim::campaign::{Campaign, Faults, run_many, seeds};
use tertulia_sim::conformance::{FullMesh, topology};

#[test]
fn the_full_mesh_conforms() {
    let options = topology::Options { nodes: 6, seeds: 3, ..topology::Options::default() };
    let report = topology::topology(&|_| Box::new(FullMesh::default()), &options);
    println!("{report}");
    assert!(report.passed(), "{report}");
}

fn campaign(faults: &Faults) {
    let plan = |seed: u64| Campaign {
        nodes: 3 + (seed % 8) as u32,
        faults: faults.clone(),
        duration: Duration::from_secs(20),
        ..Campaign::default()
    };
    let outcome = run_many(0..seeds(50), 2, &plan, &|_, _| Box::new(FullMesh::default()));
    println!("{outcome}");
    assert!(outcome.is_clean(), "{outcome}");
}

#[test]
fn calm() {
    campaign(&Faults::default());
}

#[test]
fn churn() {
    campaign(&Faults::churn());
}

#[test]
fn lossy() {
    campaign(&Faults::lossy());
}

#[test]
fn partitions() {
    campaign(&Faults::partitions());
}

#[test]
fn freezes() {
    campaign(&Faults::freezes());
}

#[test]
fn everything() {
    campaign(&Faults::everything());
}
