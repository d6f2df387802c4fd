//! A network that alters, replays, swaps, truncates and drops what passes: links close with a reason and are remade;
//! everything said arrives once, in order, unaltered, and nothing else does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tertulia_core::id::PeerId;
use tertulia_core::units::Span;
use tertulia_tests::fault::{FAULTS, Fault};
use tertulia_tests::group::{Group, Shape, Suite};
use tertulia_tests::log;
use tertulia_tests::proxy::Proxy;
use tertulia_tests::talk::{Ear, talk};
use tertulia_tests::wait::soon;
use tertulia_topologies::mesh::{Choice, Degree};

/// Faults of a run.
const GOAL: u64 = 60;

/// How often each kind of fault was done.
fn faults(proxies: &[Arc<Proxy>]) -> BTreeMap<Fault, u64> {
    let done = |kind| proxies.iter().filter_map(|p| p.faults().get(&kind).copied()).sum();
    FAULTS.map(|kind| (kind, done(kind))).into()
}

/// True while the network has not done its worst yet.
fn too_few(faults: &BTreeMap<Fault, u64>) -> bool {
    faults.values().sum::<u64>() < GOAL || faults.values().any(|n| *n == 0)
}

async fn chat_over_a_hostile_network(suite: Suite, shape: Shape, seed: u64) {
    log::keep();
    let mut group = Group::new(suite, shape);
    // A message of a handshake that is lost holds nobody up for long.
    group.config.limits.handshake = Span::secs(1);
    let proxies = Proxy::several(seed..seed + 4).await;
    let members = group.members_behind(&proxies).await;
    let ids: Vec<PeerId> = members.iter().map(|m| m.node.id()).collect();
    proxies.iter().for_each(|p| p.spoil(true));

    let mut talks = tokio::task::JoinSet::new();
    let mut ears = tokio::task::JoinSet::new();
    // Everybody listens before anybody speaks.
    let listening: Vec<Ear> = members.iter().map(|m| Ear::of(&m.node)).collect();
    for (member, mut ear) in members.iter().zip(listening) {
        let (node, others) = (member.node.clone(), proxies.clone());
        talks.spawn(async move {
            talk(&node, (5, 300, Duration::from_millis(5)), |_| too_few(&faults(&others))).await
        });
        let me = member.node.id();
        let others: Vec<PeerId> = ids.iter().copied().filter(|id| *id != me).collect();
        ears.spawn(async move {
            ear.hear(&others).await;
            ear
        });
    }
    let mut said = 0;
    while let Some(count) = soon("enough faults", talks.join_next()).await {
        said += count.unwrap();
    }
    // From here on the network is honest, so that it can be told when all is over.
    proxies.iter().for_each(|p| p.spoil(false));
    let mut listened = Vec::new();
    while let Some(ear) = soon("everybody's last words", ears.join_next()).await {
        listened.push(ear.unwrap());
    }
    let heard: u64 = listened.iter().flat_map(|ear| ear.heard.values()).map(|h| h.count).sum();
    assert_eq!(heard, said * 3);

    let injected = faults(&proxies);
    let remade: u64 = proxies.iter().map(|p| p.remade()).sum();
    let reasons: usize = log::count(&["closing a link", "code="]);
    println!(
        "{suite:?} {shape:?}: {said} messages, {heard} deliveries, {} faults {injected:?}, {remade} links remade, \
         {reasons} closed for what came over them",
        injected.values().sum::<u64>()
    );
    assert!(!too_few(&injected) && remade > 0 && reasons > 0);
    for member in members {
        soon("leaving", member.node.leave()).await;
    }
    for ear in listened {
        ear.rest().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_false_is_delivered_with_noise() {
    chat_over_a_hostile_network(Suite::Noise, Shape::Ring, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_false_is_delivered_in_a_mesh() {
    chat_over_a_hostile_network(Suite::Noise, Shape::Mesh(Degree::Full, Choice::Active), 201).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_false_is_delivered_in_a_mesh_of_active_views() {
    chat_over_a_hostile_network(Suite::Noise, Shape::Mesh(Degree::Of(3), Choice::Active), 301).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_false_is_delivered_in_a_mesh_of_picks() {
    chat_over_a_hostile_network(Suite::Plain, Shape::Mesh(Degree::Of(3), Choice::Pick), 401).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_false_is_delivered_in_plain() {
    chat_over_a_hostile_network(Suite::Plain, Shape::RedundantRing, 101).await;
}
