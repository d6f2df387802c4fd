//! Small groups: a sample of every order of events at every message boundary, or the whole of it.

#[path = "../examples/groups/mod.rs"]
mod groups;

use std::time::Duration;

use groups::Group;
use tertulia_sim::explore::{Explorer, every, explore, run_schedule};
use tertulia_sim::invariants::Invariant;
use tertulia_sim::network::{Latency, Network};
use tertulia_sim::oracle::Violation;
use tertulia_sim::{Sim, SimConfig};
use tertulia_topologies::leader_star::Routing;
use tertulia_topologies::ring::{Config, Planted, build};

fn settles(group: Group) {
    let explorer = group.explorer(every(30));
    let found = explore(&explorer, 2, &|seed, _| group.make(seed));
    println!("one place in {}: {found}", explorer.every);
    assert!(found.schedules > 0 && found.failed == 0, "{found}");
}

#[test]
fn small_rings_settle_whatever_the_order() {
    settles(Group::Ring(Some(1)));
}

#[test]
fn small_redundant_rings_settle_whatever_the_order() {
    settles(Group::Ring(Some(2)));
}

#[test]
fn small_meshes_settle_whatever_the_order() {
    settles(Group::Mesh);
}

#[test]
fn small_stars_settle_whatever_the_order() {
    settles(Group::Star(Routing::Direct));
}

/// Never holds, and says all that a run did.
fn trace(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    let detail = format!("{:x}, {}", sim.trace_hash(), sim.counters());
    out.push(Violation { at: sim.now(), invariant: "trace", detail });
}

#[test]
fn copied_groups_go_on_as_replayed_ones_do() {
    let latency = Latency::Uniform(Duration::from_millis(2), Duration::from_millis(40));
    let network = Network { latency, ..Network::default() };
    let sim = SimConfig { network, ..SimConfig::default() };
    for group in [Group::Ring(Some(1)), Group::Mesh, Group::Star(Routing::Direct)] {
        let settle = Duration::from_secs(3);
        let settled = vec![trace as Invariant];
        let explorer = Explorer { sim: sim.clone(), start: 3, settle, settled, ..group.explorer(300) };
        let make = |seed, _| group.make(seed);
        let found = explore(&explorer, 2, &make);
        println!("{group:?}: {} of {} schedules", found.failures.len(), found.schedules);
        assert!(found.failed == found.schedules && found.failures.iter().any(|(s, _)| s.acts.len() == 3));
        for (schedule, violations) in &found.failures {
            let replayed = run_schedule(&explorer, schedule, &make, None).0;
            assert_eq!(replayed, *violations, "{group:?} {schedule}");
        }
    }
}

#[test]
fn bugs_put_into_the_ring_are_found() {
    for planted in [Planted::DocumentedQuit, Planted::Chord2001Join] {
        let settle = Duration::from_secs(20);
        let explorer = Explorer { settle, ..Group::Ring(Some(1)).explorer(100) };
        let make = |_, _| build(Config { planted: Some(planted), ..Config::default() }).unwrap();
        let found = explore(&explorer, 2, &make);
        println!("{planted:?}: {found}");
        assert!(found.failed > 0, "{planted:?} is not found");
    }
}
