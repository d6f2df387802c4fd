//! Members whose keys a key manager vouches for, over TCP.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tertulia::bus::{Builder, Filter, Subscription};
use tertulia::discovery::Local;
use tertulia::discovery::keys::Problem;
use tertulia::store::{MemoryStore, Store};
use tertulia_core::engine::api::Event;
use tertulia_core::message::Room;
use tertulia_core::units::Size;
use tertulia_tests::group::{Group, Member, Shape, Suite, Wire, acquainted, start};
use tertulia_tests::keys::Manager;
use tertulia_tests::wait::{event, soon};
use tertulia_transports::udp;

/// Longer than any test: what happens does not happen because a key is vouched for anew.
const NEVER: Duration = Duration::from_secs(3600);

fn group(suite: Suite) -> Group {
    Group::new(suite, Shape::RedundantRing)
}

#[expect(clippy::needless_pass_by_value, reason = "as events are waited for")]
fn trouble(event: Event) -> Option<&'static str> {
    if let Event::Trouble { code, .. } = event { Some(code) } else { None }
}

async fn says(member: &Member, text: &str) {
    member.node.publish(&Room::default(), 1, text.as_bytes()).await.unwrap();
}

async fn hears(inbox: &mut Subscription, text: &str) {
    soon(text, async {
        loop {
            let batch = inbox.next().await.unwrap();
            if batch.messages().any(|m| m.payload == text.as_bytes()) {
                return;
            }
        }
    })
    .await;
}

/// Starts a member that is refused for good; with which code, and which code the member that it dials tells.
async fn refused(builder: Builder, by: &mut Member) -> (&'static str, &'static str) {
    let builder = builder.join([by.node.addr().to_string()]);
    let mut events = builder.events(64);
    let node = builder.start().await.unwrap();
    let here = event(&mut events, "a refusal", |e| match e {
        Event::Refused { code, .. } => Some(code),
        _ => None,
    })
    .await;
    let there = event(&mut by.events, "news of a stranger", trouble).await;
    node.leave().await;
    (here, there)
}

#[tokio::test(flavor = "multi_thread")]
async fn members_go_on_and_come_back_without_the_key_manager() {
    let udp = || Wire::Udp(udp::Config::default());
    for (suite, wire) in [(Suite::Noise, Wire::Tcp), (Suite::Plain, Wire::Tcp), (Suite::Noise, udp())] {
        let mut manager = Manager::start(&Group { wire, ..group(suite) }, NEVER).await;
        let ana = start(manager.member("ana").found()).await;
        let kept: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let join = |builder: Builder| builder.join([ana.node.addr().to_string()]);
        let eva = start(join(manager.member("eva").store(kept.clone()))).await;
        acquainted(&ana.node, 2).await;
        let known = [manager.registered().await, manager.registered().await];
        assert!(known.contains(&ana.node.id()) && known.contains(&eva.node.id()));
        let who = eva.node.id();
        let key = manager.look_up(who).await.unwrap();

        // As when it is killed: nothing is saved.
        drop(manager.running.take());
        eva.node.leave().await;
        let builder = join(manager.member("eva").store(kept));
        let mut inbox = builder.subscribe(Filter::all());
        let eva = start(builder).await;
        assert_eq!(eva.node.id(), who);
        acquainted(&ana.node, 2).await;
        says(&ana, "here").await;
        hears(&mut inbox, "here").await;

        // Whoever has no voucher waits for it.
        let builder = join(manager.member("leo"));
        let mut events = builder.events(64);
        let leo = builder.start().await.unwrap();
        let code = event(&mut events, "a complaint", |e| match e {
            Event::Trouble { code, .. } => Some(code),
            _ => None,
        })
        .await;
        assert!(code == "no-voucher" || code == "keys", "{code}");
        manager.back().await;
        event(&mut events, "ready", |e| matches!(e, Event::Ready { .. }).then_some(())).await;
        acquainted(&ana.node, 3).await;
        assert_ne!(manager.look_up(leo.id()).await.unwrap(), key);
    }
}

/// Discovery sees nobody; those in the address book refuse a member whose voucher is of the past.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_a_voucher_founds_no_group_beside_those_it_knows() {
    let group = group(Suite::Noise);
    let mut manager = Manager::start(&group, NEVER).await;
    let ana = start(manager.member("ana").found()).await;
    let kept: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let join = manager.member("eva").store(kept.clone()).join([ana.node.addr().to_string()]);
    let eva = start(join).await;
    acquainted(&eva.node, 2).await;
    drop(manager.running.take());
    eva.node.leave().await;
    // One that cannot be read is done without, as is one that has expired.
    kept.save("voucher", b"of the past").unwrap();

    let empty = tempfile::tempdir().unwrap();
    let local = Arc::new(Local::new(empty.path(), &group.key.id()));
    let builder = manager.member("eva").store(kept).discovery(local);
    let mut events = builder.events(64);
    let _eva = builder.start().await.unwrap();
    let why = event(&mut events, "why nobody lets it in", |e| match e {
        Event::Ready { .. } => Some("ready"),
        other => trouble(other).filter(|code| *code != "keys"),
    });
    assert_eq!(why.await, "no-voucher");
    manager.back().await;
    event(&mut events, "ready", |e| matches!(e, Event::Ready { .. }).then_some(())).await;
    acquainted(&ana.node, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_vouched_for_is_refused() {
    let group = group(Suite::Noise);
    let manager = Manager::start(&group, NEVER).await;
    let elsewhere = Manager::start(&group, NEVER).await;
    let mut ana = start(manager.member("ana").found()).await;
    assert_eq!(refused(elsewhere.member("eve"), &mut ana).await, ("bad-voucher", "bad-voucher"));
    // Strangers are told of now and then only: by another member.
    let mut leo = start(manager.member("leo").found()).await;
    assert_eq!(refused(group.member("eve"), &mut leo).await, ("keys", "keys"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_given_another_managers_key_does_not_start() {
    let group = group(Suite::Noise);
    let (manager, mut elsewhere) = (Manager::start(&group, NEVER).await, Manager::start(&group, NEVER).await);
    elsewhere.moves(manager.addr());
    let builder = elsewhere.member("ana").found();
    let mut events = builder.events(64);
    // A machine with too much to do may take the manager for one that is down at first.
    let code = match builder.start().await {
        Err(error) => error.code(),
        Ok(_node) => event(&mut events, "the manager's answer", trouble).await,
    };
    assert_eq!(code, "bad-signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_knows_outlives_it() {
    let mut manager = Manager::start(&group(Suite::Noise), NEVER).await;
    let unknown = || manager.look_up(tertulia_core::id::PeerId([7; 32]));
    assert_eq!(unknown().await.unwrap_err().code(), Problem::UnknownPeer.code());
    let ana = start(manager.member("ana").found()).await;
    let key = manager.look_up(ana.node.id()).await.unwrap();
    manager.stop().await;
    assert_eq!(manager.look_up(ana.node.id()).await.unwrap_err().code(), "keys");
    manager.back().await;
    assert_eq!(manager.look_up(ana.node.id()).await.unwrap(), key);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_vouched_for_anew_as_long_as_their_members_live() {
    let mut manager = Manager::start(&group(Suite::Noise), Duration::from_secs(2)).await;
    let ana = start(manager.member("ana").found()).await;
    let who = ana.node.id();
    let start = Instant::now();
    // Longer than two vouchers count.
    while start.elapsed() < Duration::from_millis(9_000) {
        manager.look_up(who).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ana.node.leave().await;
    assert_eq!(manager.removed().await, (who, "expired"));
    assert_eq!(manager.look_up(who).await.unwrap_err().code(), "unknown-peer");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_crowds_keep_nobody_out_for_long() {
    let mut manager = Manager::start(&group(Suite::Noise), NEVER).await;
    let at = manager.addr().rest().to_owned();
    let mut open = Vec::new();
    for i in 0..2_000_u32 {
        // It closes some of them at once.
        let Ok(mut stream) = TcpStream::connect(&at) else { continue };
        let _closed = stream.write_all(&[i.to_le_bytes().as_slice(), &[0xa5; 5_000]].concat());
        if i % 20 == 0 {
            open.push(stream);
        }
    }
    let ana = start(manager.member("ana").found()).await;
    assert_eq!(manager.registered().await, ana.node.id());
    manager.look_up(ana.node.id()).await.unwrap();
    drop(open);
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_have_room_for_a_voucher() {
    let wire = Wire::Udp(udp::Config { datagram: Size(508), ..udp::Config::default() });
    let manager = Manager::start(&Group { wire, ..group(Suite::Noise) }, NEVER).await;
    let error = manager.member("ana").found().start().await.map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "unfit");
}
