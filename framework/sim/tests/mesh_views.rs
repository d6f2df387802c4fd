//! The mesh: suite, halves that meet, redundancy, planted bugs.

#[path = "../examples/groups/mod.rs"]
mod groups;

use std::time::Duration;

use bytes::Bytes;
use groups::Group;
use tertulia_core::config::{EngineConfig, RosterConfig, Scope};
use tertulia_core::engine::Planted as Fault;
use tertulia_sim::campaign::{Campaign, Faults, seeds, seeds_to_catch};
use tertulia_sim::conformance::topology;
use tertulia_sim::counters::Class;
use tertulia_sim::network::{Latency, Network};
use tertulia_sim::oracle::Expect;
use tertulia_sim::planted::Plant;
use tertulia_sim::{Sim, SimConfig};
use tertulia_topologies::mesh::{Choice, Config, Degree, Planted, build};

const SPARSE: [Group; 2] = [Group::Mesh(Some(3)), Group::Active(3)];

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
fn sparse_meshes_conform() {
    SPARSE.into_iter().for_each(conforms);
}

/// Runs until all is as it should be; how long that took.
fn settle(sim: &mut Sim<'_>, group: Group, within: Duration) -> Duration {
    let start = sim.now();
    let mut left = Vec::new();
    sim.run_while(Duration::from_millis(100), within, |sim| {
        left.clear();
        group.settled().iter().for_each(|holds| holds(sim, &mut left));
        left.is_empty() && sim.all_ready()
    });
    assert!(left.is_empty(), "{left:?}");
    sim.now().since(start)
}

#[test]
fn halves_apart_for_ten_minutes_become_one() {
    for group in [Group::Mesh(None)].into_iter().chain(SPARSE) {
        for seed in 0..seeds(10) {
            let make = move |_| group.make(seed);
            let mut sim = Sim::new(SimConfig { seed, ..SimConfig::default() }, &make);
            sim.found();
            sim.join_many(11, &[0]);
            settle(&mut sim, group, Duration::from_secs(30));
            let apart = sim.partition(&[(0..6).collect(), (6..12).collect()], false);
            sim.run_for(Duration::from_secs(600));
            assert!(sim.publish(0, None, Bytes::from_static(b"is anybody there?")).is_ok());
            sim.heal(apart);
            let took = settle(&mut sim, group, Duration::from_secs(90));
            let across = |n: u32| sim.linked(n).filter(|m| (*m < 6) != (n < 6)).count();
            println!(
                "{group:?}, seed {seed}: one after {took:?}, {} links across",
                (0..6).map(across).sum::<usize>()
            );
            let all: Vec<u32> = sim.members().collect();
            let heard = |sim: &Sim<'_>| sim.oracle().is_complete(sim.now(), &all, &Expect::default());
            assert!(sim.run_while(Duration::from_millis(100), Duration::from_secs(10), heard));
        }
    }
}

/// Members of the largest test of redundancy: 200, or what `TERTULIA_MEMBERS` says. A thousand are
/// `TERTULIA_MEMBERS=1000 cargo test -p tertulia-sim --test mesh_views after_a_while -- --nocapture`.
#[expect(clippy::disallowed_methods, reason = "how large a run is is no input of it")]
fn members() -> u32 {
    std::env::var("TERTULIA_MEMBERS").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

/// Payloads sent so far, those that somebody pulled too.
fn payloads(sim: &Sim<'_>) -> u64 {
    sim.counters().sends(Class::Data) + sim.counters().repairs
}

/// One speaks; payloads sent beyond one for each who hears it, after some messages, the median.
fn redundancy(group: Group, nodes: u32, scope: Scope) -> f64 {
    let roster = RosterConfig { scope, ..RosterConfig::default() };
    let engine = EngineConfig { roster, ..EngineConfig::default() };
    let (min, max) = (Duration::from_millis(5), Duration::from_millis(50));
    let network = Network { latency: Latency::Pair { min, max, jitter: 0.1 }, ..Network::default() };
    let make = move |_| group.make(0);
    let mut sim = Sim::new(SimConfig { engine, network, ..SimConfig::default() }, &make);
    sim.found();
    for n in 1..nodes {
        let contact = sim.rng().below(n as usize) as u32;
        sim.join(&[contact]);
        sim.run_for(Duration::from_millis(20));
    }
    assert!(sim.run_while(Duration::from_secs(1), Duration::from_secs(60), Sim::all_ready));
    sim.run_for(Duration::from_secs(30));
    let all: Vec<u32> = sim.members().collect();
    let start = (sim.counters().sends(Class::Pull), sim.counters().repairs);
    let mut each = Vec::new();
    for said in 1..=30u64 {
        let before = payloads(&sim);
        assert!(sim.publish(nodes / 2, None, Bytes::from(vec![7; 100])).is_ok());
        sim.run_for(Duration::from_secs(2));
        let tally = sim.oracle().judge(sim.now(), &all, &Expect::default()).tally;
        assert_eq!(tally.delivered, said * (u64::from(nodes) - 1), "message {said}");
        each.push((payloads(&sim) - before) as f64 / (f64::from(nodes) - 1.0) - 1.0);
    }
    println!(
        "{group:?}, {nodes} members, {scope:?}: {each:.3?}, of these {} payloads by {} pulls",
        sim.counters().repairs - start.1,
        sim.counters().sends(Class::Pull) - start.0,
    );
    println!("{}", sim.counters());
    let late = &mut each[10..];
    late.sort_by(f64::total_cmp);
    late[late.len() / 2]
}

#[test]
fn after_a_while_almost_nothing_is_sent_twice() {
    let all = members();
    // Where everybody knows how far everybody is, that takes most of the time.
    let few = all.min(60);
    let runs = [
        (Group::Mesh(Some(4)), few, Scope::Group),
        (Group::Active(5), few, Scope::Group),
        (Group::Active(5), all, Scope::View),
    ];
    for (group, nodes, scope) in runs {
        let median = redundancy(group, nodes, scope);
        println!("{group:?}: {median:.3}");
        assert!(median <= 0.05, "{median}");
    }
}

#[test]
fn bugs_put_into_the_mesh_are_caught() {
    for planted in [Planted::OneSided, Planted::Unreplaced] {
        let (group, view) = match planted {
            Planted::OneSided => (Group::Active(3), Choice::Active),
            Planted::Unreplaced => (Group::Mesh(Some(3)), Choice::Pick),
        };
        let config = Config { degree: Degree::Of(3), view, planted: Some(planted), ..Config::default() };
        let plan = |seed| Campaign { settle: Duration::from_secs(20), ..group.small(&Faults::churn(), seed) };
        let found = seeds_to_catch(0..50, &plan, &|_, _| build(config).unwrap());
        assert!(found.is_some(), "{planted:?} is not caught");
        if let Some((seeds, run)) = found {
            println!("{planted:?}: caught with {seeds} seeds\n{run}");
        }
    }
}

#[test]
fn bugs_put_into_the_engine_are_caught_over_a_mesh() {
    let plants = [
        (Plant::Engine(Fault::DedupeBeforeVerify), Faults::default()),
        (Plant::Engine(Fault::RepairForgetsLast), Faults::lossy()),
        (Plant::SameIncarnation, Faults::churn()),
    ];
    for (plant, faults) in plants {
        let settle = Duration::from_secs(20);
        let group = Group::Active(3);
        let plan = |seed| Campaign { plant: Some(plant), settle, ..group.small(&faults, seed) };
        let found = seeds_to_catch(0..50, &plan, &|seed, _| group.make(seed));
        assert!(found.is_some(), "{plant:?} is not caught");
        if let Some((seeds, run)) = found {
            println!("{plant:?}: caught with {seeds} seeds\n{run}");
        }
    }
}
