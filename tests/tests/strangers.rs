//! Strangers, people of other groups and times, and one's own double: turned away with a reason, and shown nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tertulia::bus::{Builder, Outcome};
use tertulia::crypto::{Identity, REFUSE};
use tertulia::link::Refusal;
use tertulia_core::engine::api::Event;
use tertulia_core::message::Room;
use tertulia_tests::group::{Group, Shape, Suite, acquainted, key, start};
use tertulia_tests::log;
use tertulia_tests::proxy::{Proxy, Tape};
use tertulia_tests::talk::{Ear, talk};
use tertulia_tests::wait::{event, soon};

fn identity() -> Arc<Identity> {
    Arc::new(Identity::generate().unwrap())
}

fn shows(tape: &[u8], secret: &[u8]) -> bool {
    tape.windows(secret.len()).any(|part| part == secret)
}

/// Keys that tell who somebody is: none of them may pass.
fn assert_nobody_is_shown(tape: &Tape, who: &[&Identity]) {
    for identity in who {
        for direction in [&tape.forth, &tape.back] {
            assert!(!shows(direction, &identity.id().0), "a peer id is shown");
            assert!(!shows(direction, &identity.seal_key().0), "a static key is shown");
        }
    }
}

/// Who stands at a door: the stranger's group, and the refusal that it gets.
struct Case {
    name: &'static str,
    member: Group,
    stranger: Group,
    refusal: Refusal,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for suite in [Suite::Noise, Suite::Plain] {
        let member = Group::new(suite, Shape::Ring);
        let mut add = |name, refusal, change: &dyn Fn(&mut Group)| {
            let mut stranger = member.clone();
            change(&mut stranger);
            cases.push(Case { name, member: member.clone(), stranger, refusal });
        };
        let other = if suite == Suite::Noise { Suite::Plain } else { Suite::Noise };
        add("another secret", Refusal::WrongSecret, &|g| g.key = key("test", 2));
        add("another group", Refusal::WrongSecret, &|g| g.key = key("else", 1));
        add("another epoch", Refusal::Epoch, &|g| g.epoch = 1);
        add("another suite", Refusal::Suite, &|g| g.suite = other);
    }
    cases
}

/// Starts somebody who is refused; how it ended, and what it was told.
async fn refused(builder: Builder) -> (Outcome, &'static str, String) {
    let mut events = builder.events(100);
    let node = builder.start().await.unwrap();
    let told = event(&mut events, "a refusal", |e| match e {
        Event::Refused { code, reason, .. } => Some((code, reason)),
        Event::Ready { .. } => panic!("a stranger was let in"),
        _ => None,
    });
    let (code, reason) = told.await;
    (soon("the end", node.over()).await, code, reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_refused_with_a_reason_and_see_nobody() {
    log::keep();
    for Case { name, member, stranger, refusal } in cases() {
        let (ours, theirs) = (identity(), identity());
        let proxy = Proxy::start(0).await;
        proxy.record();
        let mut ana = start(member.member_behind("ana", &proxy).identity(ours.clone()).found()).await;
        let told_before = log::count(&["a handshake failed", refusal.code()]);
        let dialling =
            stranger.member("mallory").identity(theirs.clone()).join([ana.node.addr().to_string()]);
        let began = Instant::now();
        let (outcome, code, reason) = refused(dialling).await;
        // The stranger knows why, in a stable word and a sentence.
        assert_eq!(code, refusal.code(), "{name}");
        assert!(reason.contains(&refusal.to_string()), "{name}: {reason}");
        assert_eq!(reason.matches(&ana.node.addr().to_string()).count(), 1, "{name}: {reason}");
        assert!(matches!(&outcome, Outcome::Refused { code, .. } if *code == refusal.code()), "{outcome:?}");
        println!("{:?}, {name}: {code} after {:?}: {reason}", member.suite, began.elapsed());
        // All that it got is that one byte.
        let tapes = proxy.tapes(1).await;
        for tape in &tapes {
            assert_eq!(tape.back, [2, 0, 0, 0, REFUSE, refusal.to_byte()], "{name}");
            assert_nobody_is_shown(tape, &[&ours, &theirs]);
        }
        // The member knows as well, in the same word, and goes on.
        let trouble = event(&mut ana.events, "word of a stranger", |e| match e {
            Event::Trouble { code, reason, .. } => Some((code, reason)),
            _ => None,
        });
        let (code, reason) = trouble.await;
        assert_eq!(code, refusal.code(), "{name}: {reason}");
        let told = log::count(&["a handshake failed", refusal.code(), "refused the other side"]);
        assert!(told > told_before, "{name}");
        assert_eq!(ana.node.members().await.len(), 1);
        ana.node.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_dials_a_stranger_shows_nothing_either() {
    for Case { name, member, stranger, refusal } in cases() {
        let (ours, theirs) = (identity(), identity());
        let proxy = Proxy::start(0).await;
        proxy.record();
        let mallory = start(stranger.member_behind("mallory", &proxy).identity(theirs.clone()).found()).await;
        let dialling = member.member("ana").identity(ours.clone()).join([mallory.node.addr().to_string()]);
        let (_, code, _) = refused(dialling).await;
        assert_eq!(code, refusal.code(), "{name}");
        for tape in &proxy.tapes(1).await {
            assert_nobody_is_shown(tape, &[&ours, &theirs]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_search_for_keys_on_the_wire_can_find_them() {
    // In plain members do show themselves to each other, so the tests above look for what can be seen.
    for suite in [Suite::Plain, Suite::Noise] {
        let group = Group::new(suite, Shape::Ring);
        let (ours, theirs) = (identity(), identity());
        let proxy = Proxy::start(0).await;
        proxy.record();
        let ana = start(group.member_behind("ana", &proxy).identity(ours.clone()).found()).await;
        let dialling = group.member("eva").identity(theirs.clone());
        let eva = start(dialling.join([ana.node.addr().to_string()])).await;
        eva.node.leave().await;
        ana.node.leave().await;
        let tapes = proxy.tapes(1).await;
        let seen = tapes.iter().any(|t| shows(&t.back, &ours.id().0) && shows(&t.forth, &theirs.id().0));
        assert_eq!(seen, suite == Suite::Plain);
    }
}

fn now_ms() -> u64 {
    let passed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    passed.map_or(0, |passed| passed.as_millis() as u64)
}

/// Starts one identity twice; the second run comes in by the doors that `through` chooses of (the first run, a friend).
async fn double(suite: Suite, through: impl Fn(&str, &str) -> Vec<String>) {
    let group = Group::new(suite, Shape::Ring);
    let who = identity();
    let friend = start(group.member("ana").found()).await;
    let door = friend.node.addr().to_string();
    let mut first = start(group.member("eva").identity(who.clone()).join([door.clone()])).await;
    acquainted(&friend.node, 2).await;
    // Runs of one key that share no store are told apart by the millisecond of their start.
    while now_ms() <= first.node.incarnation().0 {
        tokio::task::yield_now().await;
    }
    let second = group.member("eva").identity(who.clone());
    let second = start(second.join(through(&first.node.addr().to_string(), &door))).await;
    assert!(second.node.incarnation() > first.node.incarnation());
    assert_eq!(second.node.id(), first.node.id());
    // The one that started earlier goes, and knows why.
    let told = event(&mut first.events, "the end of the first run", |e| match e {
        Event::Refused { code, hint, .. } => Some((code, hint)),
        _ => None,
    });
    let (code, hint) = told.await;
    assert_eq!(code, "identity-in-use");
    assert!(hint.contains("data directory"), "{hint}");
    let outcome = soon("the end of the first run", first.node.over()).await;
    assert!(matches!(outcome, Outcome::Refused { code: "identity-in-use", .. }), "{outcome:?}");
    assert!(first.node.publish(&Room::default(), 1, b"still here").await.is_err());
    // The one that started later is a whole member: it hears and is heard.
    let (mut at_friend, mut at_second) = (Ear::of(&friend.node), Ear::of(&second.node));
    let few = (3, 100, Duration::from_millis(1));
    tokio::join!(
        async { talk(&friend.node, few, |n| n < 30).await },
        async { talk(&second.node, few, |n| n < 30).await },
        async { at_friend.hear(&[second.node.id()]).await },
        async { at_second.hear(&[friend.node.id()]).await },
    );
    let live = friend.node.members().await.iter().filter(|m| m.state.is_live()).count();
    assert_eq!(live, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_identity_run_twice_the_earlier_run_leaves() {
    for suite in [Suite::Noise, Suite::Plain] {
        double(suite, |_, friend| vec![friend.into()]).await;
        double(suite, |first, friend| vec![first.into(), friend.into()]).await;
    }
}
