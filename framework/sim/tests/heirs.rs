//! A leader leaves or dies a moment after others joined: one of those that are left is elected.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/groups/mod.rs"]
mod groups;

use std::time::Duration;

use groups::Group;
use tertulia_core::rng::NodeRng;
use tertulia_sim::campaign::seeds;
use tertulia_sim::invariants::one_leader;
use tertulia_sim::network::{Latency, Network};
use tertulia_sim::{Sim, SimConfig};
use tertulia_topologies::leader_star::Routing;

/// The longest timeout is two seconds, a death is found within as many, and the first try may be in vain.
const LIMIT: Duration = Duration::from_secs(10);
/// How long after the last one joined.
const MOMENTS: [u64; 10] = [0, 0, 1, 5, 20, 50, 100, 300, 1000, 3000];

/// How the leader goes.
#[derive(Clone, Copy, Debug)]
enum End {
    Leaves,
    Dies { silent: bool },
}

fn has_leader(sim: &Sim<'_>) -> bool {
    let mut broken = Vec::new();
    one_leader(sim, &mut broken);
    broken.is_empty()
}

/// A group of a founder and one to seven newcomers, whose founder goes. How long those that are left had no leader, or what is
/// wrong.
fn succession(seed: u64) -> Result<Duration, String> {
    let mut dice = NodeRng::fork(seed, 7);
    let routing = *dice.pick(&[Routing::Direct, Routing::Leader]).unwrap();
    let newcomers = 1 + dice.below(7) as u32;
    let end = match dice.below(3) {
        // Of two members one is no majority.
        0 | 1 if newcomers > 1 => End::Dies { silent: dice.chance(0.5) },
        _ => End::Leaves,
    };
    let mut span = |most: usize| Duration::from_millis(dice.below(most) as u64);
    let (hop, pause) = (Duration::from_millis(1) + span(30), span(400));
    let after = Duration::from_millis(*dice.pick(&MOMENTS).unwrap());
    let network = Network { latency: Latency::Uniform(hop / 2, hop * 2), ..Network::default() };
    let make = move |_| Group::Star(routing).make(0);
    let mut sim = Sim::new(SimConfig { seed, network, ..SimConfig::default() }, &make);
    sim.found();
    for n in 0..newcomers {
        sim.join(&[dice.below(n as usize + 1) as u32]);
        sim.run_for(pause);
    }
    let broken = |what: &str| {
        Err(format!("seed {seed}: {newcomers} every {pause:?}, {routing:?}, {end:?} after {after:?}: {what}"))
    };
    if !sim.run_while(Duration::from_millis(1), Duration::from_secs(30), Sim::all_ready) {
        return broken("not all are members");
    }
    sim.run_for(after);
    let start = sim.now();
    match end {
        End::Leaves => assert!(sim.leave(0)),
        End::Dies { silent } => assert!(sim.crash(0, silent)),
    }
    let gone = |sim: &Sim<'_>| sim.engine(0).is_none() || sim.leaving_since(0).is_none();
    match sim.run_while(Duration::from_millis(20), LIMIT, |sim| gone(sim) && has_leader(sim)) {
        true => Ok(sim.now().since(start)),
        false => broken("no leader"),
    }
}

/// Whoever leaves a moment after it was let in is struck at once: a leader does not count on its answers.
#[test]
fn a_guest_that_leaves_takes_no_leader_along() {
    for (seed, after) in [0, 40, 300, 1000, 3000, 9000].into_iter().enumerate() {
        let make = |_| Group::Star(Routing::Leader).make(0);
        let mut sim = Sim::new(SimConfig { seed: seed as u64, ..SimConfig::default() }, &make);
        sim.found();
        sim.join(&[0]);
        assert!(sim.run_while(Duration::from_millis(1), Duration::from_secs(30), Sim::all_ready));
        sim.run_for(Duration::from_millis(after));
        assert!(sim.leave(1));
        let gone = |sim: &Sim<'_>| sim.leaving_since(1).is_none();
        assert!(sim.run_while(Duration::from_millis(20), LIMIT, gone), "it did not get out");
        for tenth in 0..120 {
            sim.run_for(Duration::from_millis(100));
            assert!(
                has_leader(&sim),
                "no leader {tenth} tenths of a second after it left, {after} ms a member"
            );
        }
    }
}

#[test]
fn whoever_is_left_has_a_leader() {
    let all = seeds(500);
    let (mut longest, mut broken) = (Duration::ZERO, Vec::new());
    for seed in 0..all {
        match succession(seed) {
            Ok(took) => longest = longest.max(took),
            Err(what) => broken.push(what),
        }
    }
    println!("{all} groups; a leader after {longest:?} at most");
    assert!(broken.is_empty(), "{} of {all}: {broken:#?}", broken.len());
}
