//! Members that proxies send to their leader, over TCP.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::time::Duration;

use tertulia::discovery::Leading;
use tertulia::discovery::service::News;
use tertulia_core::engine::api::Event;
use tertulia_core::id::PeerId;
use tertulia_tests::group::{Group, Member, Shape, Suite, acquainted, start};
use tertulia_tests::services::Services;
use tertulia_tests::wait::{event, soon};
use tertulia_topologies::leader_star::Routing;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Longer than any test: what happens does not happen because of updates.
const NEVER: Duration = Duration::from_secs(3600);

fn group() -> Group {
    Group::new(Suite::Noise, Shape::LeaderStar(Routing::Direct))
}

/// Waits until a proxy sends newcomers to somebody; whom.
async fn moved(proxies: &mut Services) -> PeerId {
    let leads = |n: &News| match n {
        News::Registered { peer, .. } => Some(*peer),
        _ => None,
    };
    proxies.news("a leader", leads).await
}

/// Starts members of their own runtimes, one after the other, each of which can be ended without a word. Three suffice to
/// elect when one died, once the leader has put all on its list: the fourth was let in after that.
async fn members(proxies: &Services, n: usize) -> Vec<(Runtime, Member)> {
    let mut all = Vec::new();
    for i in 0..n {
        let runtime = Runtime::new().unwrap();
        let member = runtime.spawn(start(proxies.member(&format!("m{i}")))).await.unwrap();
        all.push((runtime, member));
    }
    for (_, member) in &all {
        acquainted(&member.node, n).await;
    }
    soon("the proxies to know all of them", async {
        while proxies.stranger().lookup().await.unwrap().len() < n {
            tokio::task::yield_now().await;
        }
    })
    .await;
    all
}

/// What is asked first.
async fn first(proxies: &Services) -> Option<String> {
    proxies.stranger().lookup().await.unwrap().first().map(|at| at.as_str().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn newcomers_are_sent_to_the_leader_whoever_that_is() {
    let mut proxies = Services::proxies(&group(), 2, NEVER).await;
    let mut all = members(&proxies, 4).await;
    let leader = moved(&mut proxies).await;
    assert_eq!(moved(&mut proxies).await, leader, "the other proxy knows as well");
    let at = all.iter().position(|(_, m)| m.node.id() == leader).unwrap();
    soon("its address first", async {
        while first(&proxies).await != Some(all[at].1.node.addr().to_string()) {}
    })
    .await;

    // Somebody who was elected by nobody moves nothing.
    let stranger = proxies.stranger();
    let proof = tertulia_core::ballot::Certificate::default().encode();
    let (_told, electors) = watch::channel(Vec::new());
    stranger.leads(Some(Leading { proof, electors }));

    // The leader dies without a word: the next one moves both, without anybody's help.
    let (runtime, dead) = all.remove(at);
    runtime.shutdown_background();
    drop(dead);
    let mut next = moved(&mut proxies).await;
    while next == leader {
        next = moved(&mut proxies).await;
    }
    let heir = all.iter().find(|(_, m)| m.node.id() == next).unwrap();
    assert_eq!(moved(&mut proxies).await, next);
    assert_eq!(first(&proxies).await, Some(heir.1.node.addr().to_string()));
    let (runtime, newcomer) = members_one_more(&proxies).await;
    acquainted(&newcomer.node, 4).await;
    all.push((runtime, newcomer));
    stranger.leads(None);
    all.into_iter().for_each(|(runtime, _)| runtime.shutdown_background());
}

async fn members_one_more(proxies: &Services) -> (Runtime, Member) {
    let runtime = Runtime::new().unwrap();
    let member = runtime.spawn(start(proxies.member("late"))).await.unwrap();
    (runtime, member)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_that_start_together_found_one_group() {
    let proxies = Services::proxies(&group(), 1, NEVER).await;
    let mut starting = tokio::task::JoinSet::new();
    for i in 0..5 {
        starting.spawn(start(proxies.member(&format!("m{i}"))));
    }
    let all = starting.join_all().await;
    for member in &all {
        acquainted(&member.node, 5).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_group_needs_no_proxy_and_a_stale_one_is_put_right() {
    let mut proxies = Services::proxies(&group(), 1, NEVER).await;
    let mut all = members(&proxies, 4).await;
    let leader = moved(&mut proxies).await;
    proxies.stop(0).await;
    let at = all.iter().position(|(_, m)| m.node.id() == leader).unwrap();
    let (runtime, dead) = all.remove(at);
    runtime.shutdown_background();
    drop(dead);
    let next = event(&mut all[0].1.events, "the next leader", |e| match e {
        Event::Leader { leader: who, .. } if who.peer != leader => Some(who.peer),
        _ => None,
    })
    .await;
    // It comes back with what it knew; the leader, whom nobody could tell of so far, goes on trying.
    proxies.back(0).await;
    assert_eq!(moved(&mut proxies).await, next);
    let (runtime, late) = members_one_more(&proxies).await;
    acquainted(&late.node, 4).await;
    runtime.shutdown_background();
    all.into_iter().for_each(|(runtime, _)| runtime.shutdown_background());
}
