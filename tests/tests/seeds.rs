//! Members that find each other through seeds, over TCP.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tertulia::bus::{Filter, Subscription};
use tertulia::discovery::service::News;
use tertulia::store::{MemoryStore, Store};
use tertulia_core::engine::api::Event;
use tertulia_core::id::PeerId;
use tertulia_core::message::Room;
use tertulia_tests::group::{Group, Member, Shape, Suite, acquainted, start};
use tertulia_tests::services::Services;
use tertulia_tests::wait::{event, soon};

/// Longer than any test: what happens does not happen because of updates.
const NEVER: Duration = Duration::from_secs(3600);

fn group(suite: Suite) -> Group {
    // The line to change for another topology.
    Group::new(suite, Shape::RedundantRing)
}

/// Starts these members at the same moment, and waits until they all know each other.
async fn together(seeds: &Services, n: usize) -> Vec<(Member, Subscription)> {
    let mut starting = tokio::task::JoinSet::new();
    for i in 0..n {
        let builder = seeds.member(&format!("m{i}"));
        let inbox = builder.subscribe(Filter::all());
        starting.spawn(async move { (start(builder).await, inbox) });
    }
    let members = starting.join_all().await;
    for (member, _) in &members {
        acquainted(&member.node, n).await;
    }
    members
}

/// Reads messages until `n` came of each of the others, each once and in order.
async fn hears(inbox: &mut Subscription, others: usize, n: usize) {
    let mut heard: BTreeMap<PeerId, Vec<Vec<u8>>> = BTreeMap::new();
    soon("all messages of all others", async {
        while heard.len() < others || heard.values().any(|all| all.len() < n) {
            let batch = inbox.next().await.unwrap();
            let all = heard.entry(batch.origin()).or_default();
            all.extend(batch.messages().map(|m| m.payload.to_vec()));
        }
    })
    .await;
    for all in heard.values() {
        let said: Vec<Vec<u8>> = (0..n).map(|i| format!("gossip {i}").into_bytes()).collect();
        assert_eq!(all, &said);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_that_start_together_become_one_group_and_hear_all_gossip() {
    let mut seeds = Services::seeds(&group(Suite::Noise), 4, NEVER).await;
    let mut members = together(&seeds, 16).await;
    // Each with n/2+1 of the four.
    for _ in 0..16 * 3 {
        seeds.news("a registration", |n| matches!(n, News::Registered { .. }).then_some(())).await;
    }
    assert!(seeds.now().is_empty(), "nothing else happened");
    for i in 0..10 {
        for (member, _) in &members {
            member.node.publish(&Room::default(), 1, format!("gossip {i}").as_bytes()).await.unwrap();
        }
    }
    for (_, inbox) in &mut members {
        hears(inbox, 15, 10).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_is_down_is_replaced_by_another() {
    let mut seeds = Services::seeds(&group(Suite::Noise), 4, NEVER).await;
    let ana = start(seeds.member("ana")).await;
    seeds.stop(0).await;
    let eva = start(seeds.member("eva")).await;
    acquainted(&ana.node, 2).await;
    seeds.stop(1).await;
    // Half of them are left: enough to find whoever they know.
    let leo = start(seeds.member("leo")).await;
    acquainted(&leo.node, 3).await;
    // Not enough to know that nobody is there.
    let at = |member: &Member| member.node.id();
    let known = [at(&ana), at(&eva), at(&leo)];
    for member in [ana, eva, leo] {
        member.node.leave().await;
    }
    let mut left = std::collections::BTreeSet::new();
    while left.len() < known.len() {
        let gone = |n: &News| match n {
            News::Removed { peer, .. } => Some(*peer),
            _ => None,
        };
        left.insert(seeds.news("those who left", gone).await);
    }
    assert!(known.iter().all(|who| left.contains(who)));
    let why = soon("nobody to be found", async {
        loop {
            match seeds.stranger().lookup().await {
                Err(error) => break error.to_string(),
                // Their goodbye to the other of the two is on its way.
                Ok(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    assert!(why.contains("2 of 4 answer, and 3 are needed to know that nobody is there"), "{why}");
    let why = seeds.stranger().founding().await.unwrap_err().to_string();
    assert!(why.contains("2 of 4 answer, and 3 are needed to found the group"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_hangs_is_not_waited_for() {
    let mut seeds = Services::seeds(&group(Suite::Noise), 3, NEVER).await;
    let place = seeds.running[1].as_ref().unwrap().addr().rest().to_owned();
    seeds.stop(1).await;
    // Connections are made, and nobody ever says anything.
    let hangs = std::net::TcpListener::bind(place).unwrap();
    let ana = start(seeds.member("ana")).await;
    for _ in 0..2 {
        seeds.news("a registration", |n| matches!(n, News::Registered { .. }).then_some(())).await;
    }
    let limit = Duration::from_secs(3);
    for _ in 0..4 {
        // Each in an order of its own.
        let found = tokio::time::timeout(limit, seeds.stranger().lookup()).await;
        assert_eq!(found.expect("it waits for the one that hangs").unwrap(), [ana.node.addr().clone()]);
    }
    drop(hangs);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_seeds_know_outlives_them_and_a_group_needs_none() {
    let mut seeds = Services::seeds(&group(Suite::Plain), 3, NEVER).await;
    let ana = start(seeds.member("ana")).await;
    let kept: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let builder = seeds.member("eva").store(kept.clone());
    let mut inbox = builder.subscribe(Filter::all());
    let eva = start(builder).await;
    acquainted(&ana.node, 2).await;
    for _ in 0..2 * 2 {
        seeds.news("a registration", |n| matches!(n, News::Registered { .. }).then_some(())).await;
    }
    for i in 0..3 {
        seeds.stop(i).await;
    }
    ana.node.publish(&Room::default(), 1, b"gossip 0").await.unwrap();
    hears(&mut inbox, 1, 1).await;
    let why = seeds.stranger().lookup().await.unwrap_err().to_string();
    assert!(why.contains("0 of 3 answer"), "{why}");
    // A member that comes back remembers the others.
    let who = eva.node.id();
    eva.node.leave().await;
    let eva = start(seeds.member("eva").store(kept)).await;
    assert_eq!(eva.node.id(), who);
    acquainted(&eva.node, 2).await;
    for i in 0..3 {
        seeds.back(i).await;
    }
    // Nobody has told them anything since.
    let leo = start(seeds.member("leo")).await;
    acquainted(&leo.node, 3).await;
    acquainted(&eva.node, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_are_taken_off_and_nobody_else() {
    let mut seeds = Services::seeds(&group(Suite::Noise), 3, NEVER).await;
    let mut ana = start(seeds.member("ana")).await;
    let eva = start(seeds.member("eva")).await;
    acquainted(&ana.node, 2).await;
    // A stranger calls a live member dead: the seeds ask it, and it stays.
    let (alive, stranger) = (eva.node.id(), seeds.stranger());
    stranger.report(&alive).await;
    // A member that goes without a word: all its tasks end at once.
    let elsewhere = tokio::runtime::Runtime::new().unwrap();
    let leo = elsewhere.spawn(start(seeds.member("leo"))).await.unwrap();
    acquainted(&ana.node, 3).await;
    let dead = leo.node.id();
    let told = |n: &News| matches!(n, News::Registered { peer, .. } if *peer == dead).then_some(());
    for _ in 0..2 {
        seeds.news("its registration", told).await;
    }
    elsewhere.shutdown_background();
    event(&mut ana.events, "the death", |e| {
        matches!(e, Event::Dead(who, _) if who.peer == dead).then_some(())
    })
    .await;
    for _ in 0..2 {
        let why = seeds
            .news("the dead off the list", |n| match n {
                News::Removed { peer, reason } => Some((*peer, *reason)),
                _ => None,
            })
            .await;
        assert_eq!(why, (dead, "reported dead, and it does not answer"));
    }
    let left = stranger.lookup().await.unwrap();
    let mut left: Vec<&str> = left.iter().map(tertulia::link::Locator::as_str).collect();
    left.sort_unstable();
    let (a, e) = (ana.node.addr().to_string(), eva.node.addr().to_string());
    let mut all = [a.as_str(), e.as_str()];
    all.sort_unstable();
    assert_eq!(left, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_dials_a_seed_is_told_what_it_is() {
    let seeds = Services::seeds(&group(Suite::Noise), 1, NEVER).await;
    let addr = seeds.running[0].as_ref().unwrap().addr().to_string();
    let builder = group(Suite::Noise).member("ana").join([addr]);
    let mut events = builder.events(64);
    let node = builder.start().await.unwrap();
    let reason = event(&mut events, "trouble", |e| match e {
        Event::Trouble { reason, .. } => Some(reason),
        _ => None,
    })
    .await;
    assert!(reason.contains("one of the two is a service"), "{reason}");
    node.leave().await;
}
