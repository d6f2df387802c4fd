//! Groups over datagrams: on a good network and on a bad one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tertulia_tests::group::{Group, Member, NICKS, Shape, Suite, Wire, gather};
use tertulia_tests::lossy::{Done, Faults};
use tertulia_tests::talk::chat;
use tertulia_tests::wait::soon;
use tertulia_topologies::mesh::{Choice, Degree};
use tertulia_transports::udp;

fn group(suite: Suite, shape: Shape, config: udp::Config) -> Group {
    Group { wire: Wire::Udp(config), ..Group::new(suite, shape) }
}

async fn conforms(suite: Suite, shape: Shape) {
    let members = group(suite, shape, udp::Config::default()).members(4).await;
    chat(&members, (20, 300, Duration::from_millis(5)), |said| said < 500).await;
    // A message that takes a thousand datagrams.
    chat_again(&members, 1_000_000).await;
    for member in members {
        soon("leaving", member.node.leave()).await;
    }
}

/// One long message of the first member reaches everybody.
async fn chat_again(members: &[Member], len: usize) {
    use tertulia::bus::Filter;
    use tertulia_core::message::Room;
    let mut inboxes: Vec<_> = members[1..].iter().map(|m| m.node.subscribe(Filter::all())).collect();
    let words: Vec<u8> = (0..len).map(|n| (n * 7 + (n >> 8)) as u8).collect();
    members[0].node.publish(&Room::default(), 7, &words).await.unwrap();
    for inbox in &mut inboxes {
        let batch = soon("a long message", inbox.next()).await.unwrap();
        let payloads: Vec<_> = batch.messages().map(|m| m.payload.to_vec()).collect();
        assert!(payloads == [words.clone()], "it arrived as something else");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_with_noise() {
    conforms(Suite::Noise, Shape::Ring).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_in_plain() {
    conforms(Suite::Plain, Shape::Ring).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mesh_with_noise() {
    conforms(Suite::Noise, FULL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mesh_in_plain() {
    conforms(Suite::Plain, Shape::Mesh(Degree::Of(3), Choice::Active)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redundant_ring_with_noise() {
    conforms(Suite::Noise, Shape::RedundantRing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redundant_ring_in_plain() {
    conforms(Suite::Plain, Shape::RedundantRing).await;
}

/// What all relays did.
fn sum(all: &[Arc<Done>]) -> BTreeMap<&'static str, u64> {
    let mut sum = BTreeMap::new();
    for (what, count) in all.iter().flat_map(|done| done.counts()) {
        *sum.entry(what).or_default() += count;
    }
    sum
}

const FULL: Shape = Shape::Mesh(Degree::Full, Choice::Active);

/// Five members whose ways are bad say `each` messages each: on a ring half of the ways pass another
/// member, on a mesh none does.
async fn over_a_bad_network(
    shape: Shape,
    share: f64,
    config: udp::Config,
    each: u64,
    pace: (u64, usize, Duration),
) {
    let resend = config.resend;
    let group = group(Suite::Noise, shape, config);
    let (mut builders, mut done) = (Vec::new(), Vec::new());
    for (n, nick) in NICKS.into_iter().take(5).enumerate() {
        let (builder, lossy) = group.member_over(nick, Faults::of(share), 40 + n as u64);
        builders.push(builder);
        done.push(lossy.done.clone());
    }
    let members = gather(builders).await;
    let began = Instant::now();
    // The last message of each is one more.
    let (said, heard) = chat(&members, pace, move |said| said + 1 < each).await;
    let took = began.elapsed();
    let counts = sum(&done);
    let (mut pulls, mut repairs) = (0, 0);
    for member in &members {
        let stats = member.node.stats().await;
        (pulls, repairs) = (pulls + stats.pulls, repairs + stats.repairs);
    }
    println!(
        "{shape:?}, {:.0} % lost, resend {resend}: {said} messages, {heard} deliveries in {:.1} s; datagrams {counts:?}; \
         {repairs} parcels repaired by {pulls} pulls",
        share * 100.0,
        took.as_secs_f64()
    );
    assert!(said >= each * 5);
    assert!(counts.values().all(|count| *count > 0), "the network did too little");
    assert!(repairs > 0, "delivery had nothing to repair");
    for member in members {
        soon("leaving", member.node.leave()).await;
    }
}

async fn ten_thousand_each(shape: Shape, share: f64) {
    let pace = (50, 100, Duration::from_millis(5));
    over_a_bad_network(shape, share, udp::Config::default(), 10_000, pace).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_each_over_a_ring_that_loses_one_in_twenty() {
    ten_thousand_each(Shape::Ring, 0.05).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_each_over_a_ring_that_loses_one_in_five() {
    ten_thousand_each(Shape::Ring, 0.2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_each_over_a_mesh_that_loses_one_in_twenty() {
    ten_thousand_each(FULL, 0.05).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_each_over_a_mesh_that_loses_one_in_five() {
    ten_thousand_each(FULL, 0.2).await;
}

/// The transport gives nothing a second try here: what arrives, delivery has repaired. A parcel of many datagrams would
/// hardly ever get through, so little is said at once.
async fn delivery_alone(shape: Shape) {
    let config = udp::Config { resend: 0, ..udp::Config::default() };
    over_a_bad_network(shape, 0.2, config, 2_000, (5, 100, Duration::from_millis(10))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivery_alone_carries_thousands_over_a_ring_that_loses_one_in_five() {
    delivery_alone(Shape::Ring).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivery_alone_carries_thousands_over_a_mesh_that_loses_one_in_five() {
    delivery_alone(FULL).await;
}
