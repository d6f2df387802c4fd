//! The engine's step: one parcel of one 64 B message comes in over a link and goes on to the others.
//!
//! Authentication costs nothing here. The engine stands in a group of nine and has eight neighbours, but for the plain
//! ring, where it has two, and the active view of five. The leader of a star passes every parcel to seven of them, and so
//! does flooding over a full mesh; a ring passes it to one, a sparse mesh along the origin's tree, and both announce it to
//! the others. In the full mesh proper nobody passes anything on. What is measured: parse, look up, commit, deliver, route, send.

#![allow(clippy::expect_used)] // A bench that cannot run stops, as a test does.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use tertulia_bench::lab::Lab;
use tertulia_core::topology::Topology;
use tertulia_sim::conformance::FullMesh;
use tertulia_topologies::leader_star::{self, Routing};
use tertulia_topologies::mesh::{self, Choice, Degree};
use tertulia_topologies::ring;

const GROUP: usize = 9;
const SIZE: usize = 64;
/// Parcels that the engine takes in a row, before the group around it takes note. Their outputs are kept meanwhile, which
/// no driver does: in longer runs that is half of what is measured.
const RUN: u64 = 32;

fn plain_ring() -> Box<dyn Topology> {
    ring::build(ring::Config::default()).expect("defaults")
}

fn redundant_ring() -> Box<dyn Topology> {
    ring::build(ring::RedundantConfig { successors: 4, ..ring::RedundantConfig::default() })
        .expect("in range")
}

fn leader_star() -> Box<dyn Topology> {
    leader_star::build(leader_star::Config { routing: Routing::Leader, ..leader_star::Config::default() })
        .expect("in range")
}

fn mesh(degree: u8, view: Choice) -> Box<dyn Topology> {
    mesh::build(mesh::Config { degree: Degree::Of(degree), view, ..mesh::Config::default() })
        .expect("in range")
}

fn flooding() -> Box<dyn Topology> {
    Box::new(FullMesh::default())
}

/// Makes a topology.
type Make = fn() -> Box<dyn Topology>;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("engine/forward-64B");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group.throughput(Throughput::Elements(1));
    let kinds: [(&str, usize, Make); 6] = [
        ("ring", 2, plain_ring),
        ("redundant-ring", 8, redundant_ring),
        ("leader-star", 8, leader_star),
        ("mesh-active", 4, || mesh(5, Choice::Active)),
        ("mesh-pick", 6, || mesh(4, Choice::Pick)),
        ("flooding", 8, flooding),
    ];
    for (kind, neighbours, make) in kinds {
        let mut lab = None;
        group.bench_function(format!("{kind}/{neighbours}-neighbours"), |b| {
            let lab = lab.get_or_insert_with(|| {
                let lab = Lab::new(GROUP, &make).expect("the group forms");
                assert_eq!(lab.neighbours(), neighbours, "neighbours in a {kind}");
                lab
            });
            b.iter_custom(|parcels| {
                let (mut left, mut took) = (parcels, Duration::ZERO);
                while left > 0 {
                    let run = left.min(RUN);
                    took += lab.step(run as usize, SIZE).expect("every parcel goes on");
                    left -= run;
                }
                took
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
