//! The rings: suite, planted bugs.

#[path = "../examples/groups/mod.rs"]
mod groups;

use std::time::Duration;

use groups::Group;
use tertulia_core::engine::Planted as Fault;
use tertulia_sim::campaign::{Campaign, Faults, seeds_to_catch};
use tertulia_sim::conformance::topology;
use tertulia_sim::planted::Plant;
use tertulia_topologies::ring::{Config, Planted, build};

const RINGS: Group = Group::Ring(None);

fn conforms(successors: u8) {
    let options =
        topology::Options { nodes: 8, seeds: 2, settled: RINGS.settled(), ..topology::Options::default() };
    let report = topology::topology(&|seed| Group::Ring(Some(successors)).make(seed.into()), &options);
    println!("{report}");
    assert!(report.passed(), "{report}");
}

#[test]
fn the_plain_ring_conforms() {
    conforms(1);
}

#[test]
fn the_redundant_ring_conforms() {
    conforms(3);
}

#[test]
fn bugs_put_into_the_ring_are_caught() {
    for planted in [Planted::DocumentedQuit, Planted::Chord2001Join] {
        let build_it = |_, _| build(Config { planted: Some(planted), ..Config::default() }).unwrap();
        let plan = |seed| Campaign { settle: Duration::from_secs(20), ..RINGS.small(&Faults::churn(), seed) };
        let found = seeds_to_catch(0..50, &plan, &build_it);
        assert!(found.is_some(), "{planted:?} is not caught");
        if let Some((seeds, run)) = found {
            println!("{planted:?}: caught with {seeds} seeds\n{run}");
        }
    }
}

#[test]
fn bugs_put_into_the_engine_are_caught_over_a_ring() {
    let plants = [
        (Plant::Engine(Fault::DedupeBeforeVerify), Faults::default()),
        (Plant::Engine(Fault::RepairForgetsLast), Faults::lossy()),
        (Plant::DropLastRepair, Faults::lossy()),
        (Plant::SameIncarnation, Faults::churn()),
        (Plant::BlindAuth, Faults::default()),
    ];
    for (plant, faults) in plants {
        let settle = Duration::from_secs(20);
        let plan = |seed| Campaign { plant: Some(plant), settle, ..RINGS.small(&faults, seed) };
        let found = seeds_to_catch(0..50, &plan, &|seed, _| RINGS.make(seed));
        assert!(found.is_some(), "{plant:?} is not caught");
        if let Some((seeds, run)) = found {
            println!("{plant:?}: caught with {seeds} seeds\n{run}");
        }
    }
}
