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

/// How newcomers go on their way in.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Stop,
    Die,
    FallSilent,
}

/// A founder, and newcomers that go so long after they set out: whether the founder leads on, and whoever comes next has a
/// vote. `None` once one of them was a member: of two members one alone cannot elect.
fn turn_back(
    seed: u64,
    routing: Routing,
    turn: Turn,
    newcomers: u32,
    after: Duration,
) -> Option<Result<(), String>> {
    let make = move |_| Group::Star(routing).make(0);
    let latency = Latency::Uniform(Duration::from_millis(3), Duration::from_millis(20));
    let network = Network { latency, ..Network::default() };
    let mut sim = Sim::new(SimConfig { seed, network, ..SimConfig::default() }, &make);
    sim.found();
    sim.run_for(Duration::from_millis(500));
    sim.join_many(newcomers, &[0]);
    sim.run_for(after);
    let silent = matches!(turn, Turn::FallSilent);
    if silent && sim.members().count() > 1 || sim.engine(0)?.peers().live().count() > 1 {
        return None;
    }
    for n in 1..=newcomers {
        let went = if matches!(turn, Turn::Stop) { sim.leave(n) } else { sim.crash(n, silent) };
        assert!(went);
    }
    let what = format!("seed {seed}, {routing:?}: {newcomers} {turn:?} after {after:?}");
    for tenth in 0..150 {
        sim.run_for(Duration::from_millis(100));
        if !has_leader(&sim) {
            return Some(Err(format!("{what}, no leader {tenth} tenths of a second later")));
        }
    }
    sim.join(&[0]);
    sim.run_for(Duration::from_secs(5));
    let electors = sim.engine(0)?.view().electors;
    let next = electors.len() == 2 && electors.contains(&sim.id(newcomers + 1));
    Some(if next { Ok(()) } else { Err(format!("{what}, {electors:?} elect")) })
}

/// Whoever goes before it is a member gives its vote up, or loses it: of two electors one alone would never be elected again.
#[test]
fn a_newcomer_that_turns_back_takes_no_vote_along() {
    let (mut tried, mut broken) = (0, Vec::new());
    for seed in 0..seeds(500) / 100 {
        for routing in [Routing::Direct, Routing::Leader] {
            for turn in [Turn::Stop, Turn::Die, Turn::FallSilent] {
                for newcomers in 1..=3 {
                    let moments = (0..).map(Duration::from_millis);
                    let fates = moments.map_while(|after| turn_back(seed, routing, turn, newcomers, after));
                    fates.for_each(|fate| {
                        tried += 1;
                        broken.extend(fate.err());
                    });
                }
            }
        }
    }
    println!("{tried} newcomers turned back");
    assert!(tried > 500, "{tried}");
    assert!(broken.is_empty(), "{} of {tried}: {broken:#?}", broken.len());
}

/// Two that came in at the same moment and lose their leader before they have heard of each other.
#[test]
fn strangers_meet() {
    for seed in 0..seeds(500) / 5 {
        let routing = if seed % 2 == 0 { Routing::Direct } else { Routing::Leader };
        let make = move |_| Group::Star(routing).make(0);
        let mut sim = Sim::new(SimConfig { seed, ..SimConfig::default() }, &make);
        sim.found();
        sim.run_for(Duration::from_millis(500));
        sim.join_many(2, &[0]);
        assert!(sim.run_while(Duration::from_micros(100), Duration::from_secs(30), Sim::all_ready));
        assert!(sim.crash(0, seed % 4 > 1));
        assert!(sim.run_while(Duration::from_millis(20), LIMIT, has_leader), "seed {seed}: no leader");
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
