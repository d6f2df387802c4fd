//! The leader-star: suite, groups that meet, one order, planted bugs; both routings.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/groups/mod.rs"]
mod groups;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use groups::Group;
use tertulia_core::engine::Planted as Fault;
use tertulia_core::engine::api::{Delivered, Event};
use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;
use tertulia_sim::campaign::{Campaign, Faults, seeds, seeds_to_catch};
use tertulia_sim::conformance::topology;
use tertulia_sim::network::{Latency, Network};
use tertulia_sim::planted::Plant;
use tertulia_sim::sim::Restart;
use tertulia_sim::tap::Watch;
use tertulia_sim::{Sim, SimConfig};
use tertulia_topologies::leader_star::Routing;

fn conforms(routing: Routing) {
    let options = topology::Options {
        nodes: 8,
        seeds: 2,
        settled: Group::Star(routing).settled(),
        ..topology::Options::default()
    };
    let report = topology::topology(&|_| Group::Star(routing).make(0), &options);
    println!("{report}");
    assert!(report.passed(), "{report}");
}

#[test]
fn direct_routing_conforms() {
    conforms(Routing::Direct);
}

#[test]
fn routing_through_the_leader_conforms() {
    conforms(Routing::Leader);
}

fn settle(sim: &mut Sim<'_>, within: Duration) -> Duration {
    let start = sim.now();
    let mut left = Vec::new();
    sim.run_while(Duration::from_millis(100), within, |sim| {
        left.clear();
        Group::Star(Routing::Direct).settled().iter().for_each(|holds| holds(sim, &mut left));
        left.is_empty() && sim.all_ready()
    });
    assert!(left.is_empty(), "{left:?}");
    sim.now().since(start)
}

fn leader(sim: &Sim<'_>, of: u32) -> (u32, u64) {
    let engine = sim.engine(of).unwrap();
    let view = engine.view();
    (sim.node_of(&engine.peers().id(view.leader.unwrap())).unwrap(), view.term.unwrap())
}

/// Two groups, each with its founder; one member of the second comes back through the first, and the others of the
/// second find it by their address books.
#[test]
fn groups_founded_apart_become_one() {
    for routing in [Routing::Direct, Routing::Leader] {
        for seed in 0..seeds(10) {
            let make = move |_| Group::Star(routing).make(0);
            let mut sim = Sim::new(SimConfig { seed, ..SimConfig::default() }, &make);
            sim.found();
            sim.join_many(3, &[0]);
            let founder = sim.found();
            sim.join_many(4, &[founder]);
            sim.run_for(Duration::from_secs(10));
            assert_ne!(leader(&sim, 1).0, leader(&sim, 6).0, "they are apart");
            sim.crash(7, false);
            sim.restart(7, &Restart { contacts: vec![1], ..Restart::default() });
            let took = settle(&mut sim, Duration::from_secs(60));
            println!("{routing:?}, seed {seed}: one group after {took:?}, {:?} leads", leader(&sim, 0));
        }
    }
}

/// A majority goes on with its leader; the minority has none and is taken in again, and the term stays.
#[test]
fn halves_apart_for_ten_minutes_become_one() {
    for routing in [Routing::Direct, Routing::Leader] {
        for seed in 0..seeds(10) {
            let make = move |_| Group::Star(routing).make(0);
            let mut sim = Sim::new(SimConfig { seed, ..SimConfig::default() }, &make);
            sim.found();
            sim.join_many(6, &[0]);
            settle(&mut sim, Duration::from_secs(30));
            let before = leader(&sim, 6);
            let apart = sim.partition(&[vec![0, 1, 2, 3], vec![4, 5, 6]], false);
            sim.run_for(Duration::from_secs(600));
            assert_eq!((leader(&sim, 3), sim.engine(5).unwrap().view().leader), (before, None));
            sim.heal(apart);
            let took = settle(&mut sim, Duration::from_secs(60));
            assert_eq!(leader(&sim, 6), before, "the leader and its term stay");
            println!("{routing:?}, seed {seed}: one group after {took:?}");
        }
    }
}

/// A group that went down as a whole elects and lets itself in when a majority is back.
#[test]
fn a_whole_group_restarts() {
    for seed in 0..seeds(10) {
        let make = |_| Group::Star(Routing::Direct).make(0);
        let mut sim = Sim::new(SimConfig { seed, ..SimConfig::default() }, &make);
        sim.found();
        sim.join_many(4, &[0]);
        settle(&mut sim, Duration::from_secs(30));
        (0..5).for_each(|n| assert!(sim.crash(n, false)));
        sim.run_for(Duration::from_secs(5));
        (0..3).for_each(|n| assert!(sim.restart(n, &Restart::default())));
        let took = settle(&mut sim, Duration::from_secs(25));
        println!("seed {seed}: {took:?}");
    }
}

/// What each node got of whom, in its order: (origin, run, first number).
type Heard = Arc<Mutex<BTreeMap<u32, Vec<(PeerId, u64, u64)>>>>;

struct Listener(Heard);

impl Watch for Listener {
    fn delivered(&mut self, _: Instant, node: u32, d: &Delivered) {
        if !d.direct {
            let mut heard = self.0.lock().unwrap();
            heard.entry(node).or_default().push((d.id, d.incarnation.0, d.first_seq));
        }
    }
}

/// Everybody talks at once over a lossy network with one leader; pairs of members that heard others in another order.
fn disagreements(routing: Routing, seed: u64) -> usize {
    const NODES: u32 = 7;
    let make = move |_| Group::Star(routing).make(0);
    let latency = Latency::Uniform(Duration::from_millis(1), Duration::from_millis(40));
    let network = Network { latency, ..Network::default() };
    let mut sim = Sim::new(SimConfig { seed, network: network.clone(), ..SimConfig::default() }, &make);
    sim.found();
    sim.join_many(NODES - 1, &[0]);
    settle(&mut sim, Duration::from_secs(30));
    let before = leader(&sim, 1);
    let heard: Heard = Arc::default();
    sim.set_watch(Some(Box::new(Listener(Arc::clone(&heard)))));
    sim.set_network(Network { loss: 0.05, reorder: 0.02, duplicate: 0.01, ..network });
    for round in 0..100u32 {
        for n in 0..NODES {
            sim.publish(n, None, Bytes::from(vec![round as u8; 40])).unwrap();
        }
        sim.run_for(Duration::from_millis(7));
    }
    sim.calm();
    sim.run_for(Duration::from_secs(20));
    assert_eq!(leader(&sim, 1), before, "one ballot");
    let heard = heard.lock().unwrap();
    let of = |n: u32, but: [u32; 2]| -> Vec<_> {
        let others = |h: &&(PeerId, u64, u64)| but.iter().all(|&m| sim.id(m) != h.0);
        heard.get(&n).into_iter().flatten().filter(others).copied().collect()
    };
    let pairs = (0..NODES).flat_map(|a| (0..a).map(move |b| (a, b)));
    pairs.filter(|&(a, b)| of(a, [a, b]) != of(b, [a, b])).count()
}

/// Through the leader all hear others in one order; from member to member they do not, so the test can fail.
#[test]
fn one_order_within_a_ballot() {
    for seed in 0..seeds(10) {
        assert_eq!(disagreements(Routing::Leader, seed), 0, "seed {seed}");
    }
    assert!(disagreements(Routing::Direct, 0) > 0);
}

/// Who said that messages wait, the nicks of leaders, and the numbers of messages that arrived.
#[derive(Clone, Default)]
struct Waits {
    said: Arc<Mutex<Vec<u32>>>,
    leaders: Arc<Mutex<Vec<String>>>,
    heard: Arc<Mutex<Vec<u64>>>,
}

impl Watch for Waits {
    fn event(&mut self, _: Instant, node: u32, event: &Event) {
        match event {
            Event::Waiting(_) => self.said.lock().unwrap().push(node),
            Event::Leader { leader, .. } => self.leaders.lock().unwrap().push(leader.nick.to_string()),
            _ => {}
        }
    }

    fn delivered(&mut self, _: Instant, _: u32, d: &Delivered) {
        self.heard.lock().unwrap().extend(d.first_seq..d.first_seq + u64::from(d.count));
    }
}

/// Through the leader, whoever is left without a majority says that its messages wait; nobody else does, and the founder
/// not at its start. Once there is a leader they arrive, each once.
#[test]
fn messages_wait_for_a_leader_and_say_so() {
    for seed in 0..seeds(10) {
        let make = |_| Group::Star(Routing::Leader).make(0);
        let mut sim = Sim::new(SimConfig { seed, ..SimConfig::default() }, &make);
        let waits = Waits::default();
        sim.set_watch(Some(Box::new(waits.clone())));
        sim.found();
        sim.join_many(2, &[0]);
        settle(&mut sim, Duration::from_secs(30));
        assert!(waits.said.lock().unwrap().is_empty(), "seed {seed}: nobody waits in a whole group");
        assert_eq!(*waits.leaders.lock().unwrap(), ["n0"; 3], "seed {seed}");
        (0..2).for_each(|n| assert!(sim.crash(n, true)));
        sim.run_for(Duration::from_secs(5));
        assert_eq!(*waits.said.lock().unwrap(), [2], "seed {seed}");
        for _ in 0..5 {
            let _number = sim.publish(2, None, Bytes::from_static(b"is anybody there?"));
            sim.run_for(Duration::from_secs(1));
        }
        assert!(waits.heard.lock().unwrap().is_empty(), "seed {seed}");
        assert!(sim.restart(1, &Restart::default()));
        let both =
            |sim: &Sim<'_>| [1, 2].iter().all(|&n| sim.engine(n).is_some_and(|e| e.view().leader.is_some()));
        assert!(sim.run_while(Duration::from_millis(100), Duration::from_secs(20), both), "seed {seed}");
        sim.run_for(Duration::from_secs(5));
        assert_eq!(*waits.heard.lock().unwrap(), [1, 2, 3, 4, 5], "seed {seed}");
    }
}

/// Bugs of the election itself are caught by its own tests: here, that this suite can fail over a star too.
#[test]
fn bugs_put_into_the_engine_are_caught_over_a_star() {
    let plants = [
        // Without loss every parcel comes over its origin's own link, where nothing is left to verify.
        (Plant::Engine(Fault::DedupeBeforeVerify), Faults::lossy()),
        (Plant::DropLastRepair, Faults::lossy()),
        (Plant::SameIncarnation, Faults::churn()),
    ];
    for (plant, faults) in plants {
        let plan = |seed| Campaign {
            plant: Some(plant),
            settle: Duration::from_secs(20),
            ..Group::Star(Routing::Direct).small(&faults, seed)
        };
        let found = seeds_to_catch(0..50, &plan, &|seed, _| Group::Star(Routing::Direct).make(seed));
        assert!(found.is_some(), "{plant:?} is not caught");
        if let Some((seeds, run)) = found {
            println!("{plant:?}: caught with {seeds} seeds\n{run}");
        }
    }
}
