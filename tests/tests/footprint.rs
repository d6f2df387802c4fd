//! What an idle engine costs. Alone in its file: whatever this process allocates is counted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

use std::alloc::System;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tertulia_core::frame::{Frame, Lane};
use tertulia_core::topology::Topology;
use tertulia_sim::network::{Latency, Network};
use tertulia_sim::sim::{Sim, SimConfig};
use tertulia_sim::tap::{Tap, Way};
use tertulia_topologies::ring::{self, Settings};

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What an engine with [`NEIGHBOURS`] may take when idle, and for each short message that it keeps.
const BUDGET: usize = 64 << 10;
const KEPT: usize = 768;
const NEIGHBOURS: usize = 8;

/// A ring that links each member with so many others on either side.
fn ring_of(successors: u8) -> Box<dyn Topology> {
    ring::build(Settings::<true> { successors, ..Settings::default() }).unwrap()
}

fn calm(latency: Duration) -> SimConfig {
    let network = Network { latency: Latency::Fixed(latency), ..Network::default() };
    SimConfig { network, ..SimConfig::default() }
}

/// Copies every frame, so that no two engines share memory here that processes of their own would not share.
struct Copies;

impl Tap for Copies {
    fn pass(&mut self, way: Way, frame: Frame, out: &mut Vec<(Lane, Frame)>) {
        let body = bytes::Bytes::copy_from_slice(&frame.body);
        out.push((way.lane, Frame { body, ..frame }));
    }
}

fn live_bytes() -> usize {
    let stats = MEMORY.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// What the engine of one member of a quiet group takes.
fn footprint(members: u32, messages: u32, keep: u32) -> (usize, usize) {
    let make = |_| ring_of(4);
    let mut config = calm(Duration::from_millis(5));
    config.engine.history.keep = keep;
    let mut sim = Sim::new(config, &make);
    sim.set_tap(Some(Box::new(Copies)));
    let founder = sim.found();
    sim.join_many(members - 1, &[founder]);
    sim.run_for(Duration::from_secs(60));
    for n in 0..messages {
        sim.publish(n % members, None, vec![7; 100].into()).unwrap();
        sim.run_for(Duration::from_millis(20));
    }
    sim.run_for(Duration::from_secs(300));
    assert!(sim.all_ready());
    let one = members / 2;
    let neighbours = sim.engine(one).unwrap().view().neighbours.len();
    assert_eq!(sim.linked(one).count(), NEIGHBOURS);
    // Everything that it has goes at once, and nobody is told.
    let before = live_bytes();
    assert!(sim.crash(one, true));
    (before - live_bytes(), neighbours)
}

#[test]
fn an_idle_engine_is_small() {
    for (members, messages, keep) in [(9, 0, 0), (64, 0, 0), (9, 2_000, 0), (9, 100, 100)] {
        let (bytes, neighbours) = footprint(members, messages, keep);
        println!(
            "an idle engine with {neighbours} neighbours, one of {members} members, after {messages} messages of which \
             {keep} are kept: {bytes} bytes, {:.1} KiB",
            bytes as f64 / 1024.0
        );
        let budget = BUDGET + keep as usize * KEPT;
        assert!(bytes < budget, "{bytes} bytes of {budget}");
    }
}
