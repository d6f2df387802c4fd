//! A group that has been quiet for long, and one whose founder is gone for ever.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

use std::time::Duration;

use tertulia_core::topology::Topology;
use tertulia_sim::network::{Latency, Network};
use tertulia_sim::oracle::Expect;
use tertulia_sim::sim::{Restart, Sim, SimConfig, Status};
use tertulia_topologies::ring::{self, Settings};

/// A ring that links each member with so many others on either side.
fn ring_of(successors: u8) -> Box<dyn Topology> {
    ring::build(Settings::<true> { successors, ..Settings::default() }).unwrap()
}

fn calm(latency: Duration) -> SimConfig {
    let network = Network { latency: Latency::Fixed(latency), ..Network::default() };
    SimConfig { network, ..SimConfig::default() }
}

/// Runs until what everybody published is everywhere; how long that took.
fn until_heard(sim: &mut Sim<'_>, limit: Duration) -> Duration {
    let start = sim.now();
    // What was published has left by then.
    sim.run_for(Duration::from_micros(100));
    let heard = |sim: &Sim<'_>| {
        let all: Vec<u32> = sim.members().collect();
        sim.oracle().is_complete(sim.now(), &all, &Expect::default())
    };
    assert!(sim.run_while(Duration::from_micros(500), limit, heard), "not everywhere after {limit:?}");
    sim.now().since(start)
}

#[test]
fn after_five_quiet_minutes_a_message_arrives_at_once() {
    let latency = Duration::from_millis(10);
    for (members, successors) in [(8, 3), (5, 2)] {
        let make = move |_| ring_of(successors);
        let mut sim = Sim::new(calm(latency), &make);
        let founder = sim.found();
        sim.join_many(members - 1, &[founder]);
        sim.run_for(Duration::from_secs(30));
        assert!(sim.all_ready());
        sim.run_for(Duration::from_secs(300));
        let links: usize = sim.running().iter().map(|&n| sim.linked(n).count()).sum();
        sim.publish(members / 2, None, b"still there?"[..].into()).unwrap();
        let took = until_heard(&mut sim, Duration::from_secs(5));
        println!(
            "{members} members, {links} ends of links: everywhere after {took:?}, {latency:?} from one to another"
        );
        assert!(took <= latency * (members / 2 + 1), "{took:?}");
    }
}

#[test]
fn a_founder_that_leaves_for_ever_does_not_take_the_group_along() {
    for silent in [None, Some(false), Some(true)] {
        let make = |_| ring_of(3);
        let mut sim = Sim::new(calm(Duration::from_millis(10)), &make);
        let founder = sim.found();
        sim.join_many(5, &[founder]);
        sim.run_for(Duration::from_secs(30));
        match silent {
            None => assert!(sim.leave(founder)),
            Some(silent) => assert!(sim.crash(founder, silent)),
        }
        sim.run_for(Duration::from_secs(600));
        assert!(!sim.status(founder).runs());
        for n in 1..6 {
            assert_eq!(sim.engine(n).unwrap().peers().live().count(), 5, "n{n}");
            sim.publish(n, None, b"we are still here"[..].into()).unwrap();
        }
        let took = until_heard(&mut sim, Duration::from_secs(5));
        // Whoever comes anew finds in through anybody, and who returns through what it remembers.
        let newcomer = sim.join(&[3]);
        assert!(sim.crash(5, false));
        sim.run_for(Duration::from_secs(10));
        let book = sim.stored(5).unwrap().book.clone();
        assert!(sim.restart(5, &Restart::default()));
        sim.run_for(Duration::from_secs(40));
        println!(
            "founder gone ({silent:?}): the others talk within {took:?}; the book of one holds {}",
            book.len()
        );
        assert_eq!((sim.status(newcomer), sim.status(5)), (Status::Running, Status::Running));
        assert!(sim.all_ready());
        let others = book.iter().filter(|(id, addrs)| *id != sim.id(founder) && !addrs.is_empty()).count();
        assert!(others >= 4, "{others} others are remembered");
        sim.publish(5, None, b"back again"[..].into()).unwrap();
        until_heard(&mut sim, Duration::from_secs(5));
    }
}
