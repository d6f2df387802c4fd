//! The same group over every shape, every transport and every suite: people talk, somebody comes, somebody goes.
//!
//! Each plug-in is met once; `TERTULIA_MATRIX=1` runs every combination.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

use std::time::{Duration, Instant};

use tertulia_tests::group::{Group, Member, NICKS, Shape, Suite, Wire, acquainted, start};
use tertulia_tests::program::parameter;
use tertulia_tests::talk::chat;
use tertulia_tests::wait::soon;
use tertulia_topologies::leader_star::Routing;
use tertulia_transports::{memory, udp};

const SHAPES: [Shape; 4] = [
    Shape::Ring,
    Shape::RedundantRing,
    Shape::LeaderStar(Routing::Direct),
    Shape::LeaderStar(Routing::Leader),
];
const SUITES: [Suite; 2] = [Suite::Noise, Suite::Plain];
/// Bursts, bytes, pause.
const PACE: (u64, usize, Duration) = (5, 200, Duration::from_millis(5));
/// Messages of each in each of the three talks.
const EACH: u64 = 60;

fn wires() -> [Wire; 3] {
    [Wire::Memory(memory::Hub::default()), Wire::Tcp, Wire::Udp(udp::Config::default())]
}

async fn talk(members: &[Member]) -> u64 {
    chat(members, PACE, |said| said + 1 < EACH).await.1
}

/// Five talk; one comes through the last, and all talk; the founder goes, and the rest talk.
async fn meets(group: &Group) -> u64 {
    let mut members = group.members(5).await;
    let mut heard = talk(&members).await;
    let last = members[4].node.addr().to_string();
    members.push(start(group.member(NICKS[5]).join([last])).await);
    for member in &members {
        acquainted(&member.node, 6).await;
    }
    heard += talk(&members).await;
    let founder = members.remove(0);
    soon("the founder's leaving", founder.node.leave()).await;
    heard += talk(&members).await;
    for member in members {
        soon("leaving", member.node.leave()).await;
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_talk_come_and_go_over_everything() {
    let whole = parameter("TERTULIA_MATRIX", 0) > 0;
    let (mut groups, began) = (0, Instant::now());
    for (s, shape) in SHAPES.into_iter().enumerate() {
        for (w, wire) in wires().into_iter().enumerate() {
            for (c, suite) in SUITES.into_iter().enumerate() {
                // Every shape over one transport with one suite: the next ones of each for the next shape.
                if !whole && (s % 3, s % 2) != (w, c) {
                    continue;
                }
                let group = Group { wire: wire.clone(), ..Group::new(suite, shape) };
                let (at, heard) = (Instant::now(), meets(&group).await);
                println!("{shape:?}, {}, {suite:?}: {heard} heard in {:?}", wire.kind(), at.elapsed());
                groups += 1;
            }
        }
    }
    println!("{groups} groups in {:?}", began.elapsed());
    assert!(groups >= SHAPES.len());
}
