//! The rings: suite, campaigns, small groups, planted bugs.

use std::time::Duration;

use tertulia_core::engine::Planted as Fault;
use tertulia_core::topology::Topology;
use tertulia_sim::campaign::{Campaign, Faults, run_many, seeds, seeds_to_catch};
use tertulia_sim::conformance::topology;
use tertulia_sim::explore::{Explorer, explore};
use tertulia_sim::invariants::{Invariant, SETTLED, ring_settled};
use tertulia_sim::planted::Plant;
use tertulia_topologies::ring::{Config, Planted, RedundantConfig, build};

fn ring(successors: u8) -> Box<dyn Topology> {
    match successors {
        1 => build(Config::default()),
        n => build(RedundantConfig { successors: n, ..RedundantConfig::default() }),
    }
}

fn settled() -> Vec<Invariant> {
    SETTLED.iter().copied().chain([ring_settled as Invariant]).collect()
}

fn conforms(successors: u8) {
    let options =
        topology::Options { nodes: 8, seeds: 2, settled: settled(), ..topology::Options::default() };
    let report = topology::topology(&|_| ring(successors), &options);
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

/// Rings of 3 to 12 members with 1 to 4 successors, latencies of all kinds.
fn plan(faults: &Faults, seed: u64) -> Campaign {
    let campaign = Campaign::varied(faults, seed);
    Campaign { settled: settled(), nodes: campaign.nodes.min(12), ..campaign }
}

fn successors(seed: u64) -> u8 {
    1 + (seed / 3 % 4) as u8
}

fn campaign(faults: &Faults) {
    let outcome = run_many(0..seeds(50), 2, &|seed| plan(faults, seed), &|seed, _| ring(successors(seed)));
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

#[test]
fn small_rings_settle_whatever_the_order() {
    let explorer = Explorer { stride: 8, settled: settled(), ..Explorer::default() };
    for r in [1, 2] {
        let found = explore(&explorer, 2, &|_, _| ring(r));
        println!("{r} successors: {found}");
        assert_eq!(found.failed, 0, "{found}");
    }
}

#[test]
fn bugs_put_into_the_ring_are_caught() {
    for planted in [Planted::DocumentedQuit, Planted::Chord2001Join] {
        let build_it = |_, _| build(Config { planted: Some(planted), ..Config::default() });
        let plan = |seed| Campaign { settle: Duration::from_secs(20), ..plan(&Faults::churn(), seed) };
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
        let plan = |seed| Campaign { plant: Some(plant), settle, ..plan(&faults, seed) };
        let found = seeds_to_catch(0..50, &plan, &|seed, _| ring(successors(seed)));
        assert!(found.is_some(), "{plant:?} is not caught");
        if let Some((seeds, run)) = found {
            println!("{plant:?}: caught with {seeds} seeds\n{run}");
        }
    }
}
