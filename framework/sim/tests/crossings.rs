//! Without loss no parcel crosses a link twice in one direction, nor goes back to whoever it came from. Every topology.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/groups/mod.rs"]
mod groups;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use groups::Group;
use tertulia_core::frame::{Frame, FrameKind, Lane};
use tertulia_core::id::PeerId;
use tertulia_core::parcel::{Parcel, Scope};
use tertulia_core::time::Instant;
use tertulia_sim::network::{Latency, Network};
use tertulia_sim::oracle::Expect;
use tertulia_sim::tap::Watch;
use tertulia_sim::{Sim, SimConfig};
use tertulia_topologies::leader_star::Routing;

const HOP: Duration = Duration::from_millis(10);
const MEMBERS: u32 = 16;
const EACH: u32 = 10;

/// When each parcel, by origin and number, first left one end of a link for the other.
type Crossed = BTreeMap<(PeerId, u64, u32, u32), Instant>;

#[derive(Default)]
struct Seen {
    crossed: Crossed,
    twice: Vec<String>,
    back: Vec<String>,
}

#[derive(Clone, Default)]
struct Crossings(Arc<Mutex<Seen>>);

impl Watch for Crossings {
    fn sent(&mut self, now: Instant, from: u32, to: u32, _: Lane, frame: &Frame) {
        if !matches!(frame.kind, FrameKind::Data | FrameKind::Repair) {
            return;
        }
        let header = Parcel::parse(frame.body.clone()).unwrap().header;
        if header.scope != Scope::Group {
            return;
        }
        let mut seen = self.0.lock().unwrap();
        let what = || format!("{now}: {} of {:?}, {from} to {to}", header.number, header.origin);
        // What meets it half way, or comes in at this very moment, is not sent back.
        let came = seen.crossed.get(&(header.origin, header.number, to, from)).copied();
        if came.is_some_and(|at| now.since(at) > HOP) {
            seen.back.push(what());
        }
        if seen.crossed.insert((header.origin, header.number, from, to), now).is_some() {
            seen.twice.push(what());
        }
    }
}

fn gossip(group: Group, seed: u64) {
    let make = move |_| group.make(seed);
    let network = Network { latency: Latency::Fixed(HOP), ..Network::default() };
    let mut sim = Sim::new(SimConfig { seed, network, ..SimConfig::default() }, &make);
    sim.found();
    sim.join_many(MEMBERS - 1, &[0]);
    assert!(sim.run_while(Duration::from_millis(100), Duration::from_secs(30), Sim::all_ready));
    sim.run_for(Duration::from_secs(15));
    let crossings = Crossings::default();
    sim.set_watch(Some(Box::new(crossings.clone())));
    for said in 0..EACH {
        for n in 0..MEMBERS {
            assert!(sim.publish(n, None, Bytes::from(format!("{said} of {n}"))).is_ok());
        }
        sim.run_for(Duration::from_millis(700));
    }
    sim.run_for(Duration::from_secs(3));
    let all: Vec<u32> = sim.members().collect();
    let tally = sim.oracle().judge(sim.now(), &all, &Expect::default()).tally;
    assert_eq!(tally.delivered, u64::from(MEMBERS * (MEMBERS - 1) * EACH));
    let seen = crossings.0.lock().unwrap();
    assert!(seen.twice.is_empty() && seen.back.is_empty(), "{group:?}: {:?} {:?}", seen.twice, seen.back);
    println!("{group:?}, seed {seed}: {} deliveries, {} crossings", tally.delivered, seen.crossed.len());
}

#[test]
fn no_parcel_crosses_a_link_twice_or_goes_back() {
    let groups = [
        Group::Ring(Some(1)),
        Group::Ring(Some(3)),
        Group::Mesh(None),
        Group::Mesh(Some(4)),
        Group::Active(5),
        Group::Star(Routing::Direct),
        Group::Star(Routing::Leader),
    ];
    for group in groups {
        (0..3).for_each(|seed| gossip(group, seed));
    }
}
