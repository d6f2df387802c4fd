//! The mesh: suite, halves that meet, redundancy.

#[path = "../examples/groups/mod.rs"]
mod groups;

use groups::Group;
use tertulia_sim::conformance::topology;

fn conforms(group: Group) {
    let options =
        topology::Options { nodes: 8, seeds: 2, settled: group.settled(), ..topology::Options::default() };
    let report = topology::topology(&|seed| group.make(seed.into()), &options);
    println!("{report}");
    assert!(report.passed(), "{report}");
}

#[test]
fn the_full_mesh_conforms() {
    conforms(Group::Mesh(None));
}

#[test]
fn a_mesh_of_three_picks_conforms() {
    conforms(Group::Mesh(Some(3)));
}
