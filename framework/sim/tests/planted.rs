//! Bugs put in on purpose are caught; the attack that finds one harms nobody without it.

use std::time::Duration;

use tertulia_core::engine::Planted;
use tertulia_sim::SimConfig;
use tertulia_sim::campaign::{Campaign, Faults, run_many, seeds_to_catch};
use tertulia_sim::conformance::FullMesh;
use tertulia_sim::network::{Latency, Network};
use tertulia_sim::planted::Plant;

fn plan(plant: Plant, seed: u64) -> Campaign {
    let faults = match plant {
        Plant::SameIncarnation => Faults { joins: 0.0, ..Faults::churn() },
        Plant::DropLastRepair | Plant::Engine(Planted::RepairForgetsLast) => Faults::lossy(),
        _ => Faults::default(),
    };
    // Latencies differ, so that what is passed on is now and then faster than what comes from its origin.
    let latency = Latency::Uniform(Duration::from_millis(2), Duration::from_millis(60));
    let network = Network { latency, ..Network::default() };
    Campaign {
        sim: SimConfig { network, ..SimConfig::default() },
        nodes: 4 + (seed % 4) as u32,
        faults,
        duration: Duration::from_secs(15),
        settle: Duration::from_secs(20),
        plant: Some(plant),
        ..Campaign::default()
    }
}

fn caught(plant: Plant) {
    let found = seeds_to_catch(0..20, &|seed| plan(plant, seed), &|_, _| Box::new(FullMesh::default()));
    assert!(found.is_some(), "{plant:?} is not caught");
    if let Some((seeds, run)) = found {
        println!("{plant:?}: caught with {seeds} seeds\n{run}");
    }
}

#[test]
fn a_repair_that_forgets_the_last_parcel() {
    caught(Plant::Engine(Planted::RepairForgetsLast));
    caught(Plant::DropLastRepair);
}

#[test]
fn an_incarnation_that_does_not_rise() {
    caught(Plant::SameIncarnation);
}

#[test]
fn dedupe_before_verification() {
    caught(Plant::Engine(Planted::DedupeBeforeVerify));
}

#[test]
fn signatures_that_are_not_checked() {
    caught(Plant::BlindAuth);
}

#[test]
fn a_forger_alone_harms_nobody() {
    let plan = |seed| plan(Plant::Forger, seed);
    let outcome = run_many(0..10, 2, &plan, &|_, _| Box::new(FullMesh::default()));
    println!("{outcome}");
    assert!(outcome.is_clean(), "{outcome}");
    assert!(outcome.counters.misbehaved > 0, "no forgery was noticed");
}
