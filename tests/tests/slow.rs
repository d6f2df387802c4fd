//! One member is slow, the others flood: nobody else waits for it, nothing is lost, and it catches up.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

use std::sync::Arc;
use std::time::Duration;

use tertulia_core::id::PeerId;
use tertulia_core::units::Size;
use tertulia_tests::group::{Group, Member, Shape, Suite};
use tertulia_tests::process::Stutter;
use tertulia_tests::proxy::Proxy;
use tertulia_tests::talk::{Ear, Heard, talk};
use tertulia_tests::wait::soon;
use tertulia_topologies::mesh::{Choice, Degree};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The longest silence that the others may hear, but for what this machine itself did not do in time.
const SILENCE: Duration = Duration::from_millis(250);
/// Each of the others says so many messages of so many bytes this often: 2,000 a second in all.
const PACE: (u64, usize, Duration) = (7, 256, Duration::from_millis(10));
/// How often a message can be held up on its way when this process does not get to run: where it is published, in two
/// proxies, and where it arrives.
const STAGES: u32 = 4;
/// How many messages each of them says while one is slow, and before.
const WHILE_SLOW: u64 = 3_500;
const BEFORE: u64 = 350;
/// Small enough that whoever is slow does hold the others back, until they go on without it.
const WINDOW: Size = Size::kib(16);

/// The last member of a group is slow while `slow` says so; the others talk on. What each of those heard of each
/// other, how long this process itself stood still, and the ear of the slow one, which has heard nothing yet.
async fn flood(members: &[Member], slow: impl Fn(bool)) -> (Vec<Heard>, Duration, Ear) {
    let ids: Vec<PeerId> = members.iter().map(|m| m.node.id()).collect();
    let (last, others) = members.split_last().unwrap();
    let late = Ear::of(&last.node);
    let (progress, mut told) = watch::channel(0u64);
    let progress = Arc::new(progress);
    let (mut talks, mut ears) = (JoinSet::new(), JoinSet::new());
    let stutter = Stutter::start();
    // Everybody listens before anybody speaks.
    let listening: Vec<Ear> = others.iter().map(|m| Ear::of(&m.node)).collect();
    for (member, mut ear) in others.iter().zip(listening) {
        let (node, progress) = (member.node.clone(), progress.clone());
        talks.spawn(async move {
            talk(&node, PACE, |said| {
                progress.send_if_modified(|most| std::mem::replace(most, said.max(*most)) < said);
                said < BEFORE + WHILE_SLOW
            })
            .await
        });
        let me = member.node.id();
        let speakers: Vec<PeerId> = ids[..others.len()].iter().copied().filter(|id| *id != me).collect();
        ears.spawn(async move {
            ear.hear(&speakers).await;
            ear
        });
    }
    soon("a chat under way", told.wait_for(|said| *said >= BEFORE)).await.unwrap();
    slow(true);
    while let Some(said) = soon("the end of the flood", talks.join_next()).await {
        assert!(said.unwrap() > WHILE_SLOW);
    }
    let mut heard = Vec::new();
    while let Some(ear) = soon("everybody's last words", ears.join_next()).await {
        heard.extend(ear.unwrap().heard.into_values());
    }
    // All of this happened while the slow one was slow.
    slow(false);
    (heard, stutter.longest(), late)
}

/// Nobody else noticed; the slow one hears everything in the end.
async fn judge(what: &str, members: &[Member], (heard, stutter, mut late): (Vec<Heard>, Duration, Ear)) {
    let silence = heard.iter().map(|h| h.silence).max().unwrap();
    let count: u64 = heard.iter().map(|h| h.count).sum();
    let others: Vec<PeerId> = members[..members.len() - 1].iter().map(|m| m.node.id()).collect();
    let began = std::time::Instant::now();
    let caught_up = late.hear(&others).await;
    println!(
        "{what}: {count} deliveries at the others, longest silence {silence:?} (this process itself stood still for \
         {stutter:?}); the slow one heard {caught_up} messages, caught up after {:?}",
        began.elapsed()
    );
    assert!(silence < SILENCE + stutter * STAGES, "{silence:?} of silence");
    for member in members {
        soon("leaving", member.node.leave()).await;
    }
    late.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_does_not_read_holds_up_nobody_else() {
    let mut group = Group::new(Suite::Noise, Shape::RedundantRing);
    // Much less than is said meanwhile.
    group.config.limits.inbox = Size::kib(128);
    group.config.delivery.window = WINDOW;
    let members = group.members(4).await;
    let result = flood(&members, |_| ()).await;
    judge("an application that does not read", &members, result).await;
}

async fn links_stand_still(shape: Shape) {
    let mut group = Group::new(Suite::Noise, shape);
    group.config.delivery.window = WINDOW;
    let proxies = Proxy::several(0..4).await;
    let members = group.members_behind(&proxies).await;
    let around = proxies[3].clone();
    let result = flood(&members, |on| around.stall(on)).await;
    judge(&format!("links that stand still in a {shape:?}"), &members, result).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_stand_still_hold_up_nobody_else_in_a_redundant_ring() {
    links_stand_still(Shape::RedundantRing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_stand_still_hold_up_nobody_else_in_a_mesh() {
    links_stand_still(Shape::Mesh(Degree::Full, Choice::Active)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_stand_still_hold_up_nobody_else_in_a_plain_ring() {
    links_stand_still(Shape::Ring).await;
}
