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

/// How the leader goes.
#[derive(Clone, Copy, Debug)]
enum End {
    Leaves,
    Dies { silent: bool },
}

/// The longest timeout is two seconds, a death is found within as many, and the first try may be in vain.
const LIMIT: Duration = Duration::from_secs(10);

/// What there is of a leader some time after the founder has gone; how long that took.
fn succession(seed: u64) -> Result<(Duration, u64), String> {
    let mut dice = NodeRng::fork(seed, 7);
    let routing = *dice.pick(&[Routing::Direct, Routing::Leader]).unwrap();
    let newcomers = 1 + dice.below(7) as u32;
    let end = match dice.below(3) {
        // Of two members one is no majority.
        0 | 1 if newcomers > 1 => End::Dies { silent: dice.chance(0.5) },
        _ => End::Leaves,
    };
    let latency = Duration::from_millis(1 + dice.below(30) as u64);
    let pause = Duration::from_millis(dice.below(400) as u64);
    let after = Duration::from_millis(*dice.pick(&[0, 0, 1, 5, 20, 50, 100, 300, 1000, 3000]).unwrap());
    let latency = Latency::Uniform(latency / 2, latency * 2);
    let network = Network { latency, ..Network::default() };
    let make = move |_| Group::Star(routing).make(0);
    let mut sim = Sim::new(SimConfig { seed, network, ..SimConfig::default() }, &make);
    if std::env::var("PR").is_ok() { sim.set_watch(Some(Box::new(Pr))); }
    sim.found();
    for n in 0..newcomers {
        sim.join(&[dice.below(n as usize + 1) as u32]);
        sim.run_for(pause);
    }
    let said = format!("seed {seed}: {newcomers} newcomers every {pause:?}, {routing:?}, {end:?} after {after:?}");
    let step = Duration::from_millis(1);
    if !sim.run_while(step, Duration::from_secs(30), |sim| sim.all_ready()) {
        return Err(format!("{said}: not all are members"));
    }
    sim.run_for(after);
    match end {
        End::Leaves => assert!(sim.leave(0)),
        End::Dies { silent } => assert!(sim.crash(0, silent)),
    }
    let start = sim.now();
    let led = |sim: &Sim<'_>| {
        let mut broken = Vec::new();
        one_leader(sim, &mut broken);
        broken.is_empty() && (sim.engine(0).is_none() || sim.leaving_since(0).is_none())
    };
    let found = sim.run_while(Duration::from_millis(20), LIMIT, led);
    let mut broken = Vec::new();
    one_leader(&sim, &mut broken);
    let term = (1..=newcomers).filter_map(|n| sim.engine(n)?.view().term).max().unwrap_or(0);
    if found { Ok((sim.now().since(start), term)) } else { Err(format!("{said}: {:?}", broken.first())) }
}

#[test]
fn whoever_is_left_has_a_leader() {
    let all: Vec<_> = (0..seeds(300)).map(succession).collect();
    let failed: Vec<&String> = all.iter().filter_map(|r| r.as_ref().err()).collect();
    let longest = all.iter().filter_map(|r| r.as_ref().ok()).max();
    println!("{} groups, a leader after {longest:?} at most", all.len());
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), all.len());
}
struct Pr;
impl tertulia_sim::tap::Watch for Pr {
    fn event(&mut self, at: tertulia_core::time::Instant, node: u32, e: &tertulia_core::engine::api::Event) {
        println!("{at} n{node} {e:?}");
    }
    fn sent(&mut self, now: tertulia_core::time::Instant, from: u32, to: u32, _: tertulia_core::frame::Lane, frame: &tertulia_core::frame::Frame) {
        if frame.kind == tertulia_core::frame::FrameKind::Topology {
            println!("{now} n{from} -> n{to} {:?}", tertulia_topologies::leader_star::messages::Msg::decode(&frame.body));
        }
    }
    fn fault(&mut self, now: tertulia_core::time::Instant, kind: &'static str, node: Option<u32>) { println!("{now} FAULT {kind} {node:?}"); }
}
#[test]
fn one() { println!("{:?}", succession(264)); }
