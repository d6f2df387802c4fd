//! What is published arrives: all of it, once, in order.

use tertulia::bus::{Filter, Node, PublishError, Subscription, room};
use tertulia_core::engine::api::Event;
use tertulia_core::message::{PAYLOAD_MAX, ROOM_MAX, Room};
use tertulia_core::units::Size;

use crate::common::{Group, event, soon, start};

const COUNT: u64 = 100_000;

/// Reads numbered messages until there are `count`, and checks order and numbering.
pub(crate) async fn read_numbers(subscription: &mut Subscription, count: u64) {
    let mut next = 0u64;
    while next < count {
        let batch = soon("messages", subscription.next()).await.unwrap();
        for message in batch.messages() {
            assert_eq!(message.payload[..8], next.to_le_bytes());
            assert_eq!(message.id.seq, next + 1);
            next += 1;
        }
    }
    assert_eq!(next, count);
}

/// Publishes numbered messages of `len` bytes.
pub(crate) async fn publish_numbers(node: &Node, count: u64, len: usize) {
    let lobby = Room::default();
    let mut payload = vec![0; len];
    for n in 0..count {
        payload[..8].copy_from_slice(&n.to_le_bytes());
        assert_eq!(node.publish(&lobby, 1, &payload).await.unwrap().seq, n + 1);
    }
}

async fn exchange(group: Group) {
    let (ana, mut events) = start(group.member("ana").found()).await;
    let eva = group.joiner("eva", &ana).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(who) if &*who.nick == "eva").then_some(())).await;
    let (mut at_ana, mut at_eva) = (ana.subscribe(Filter::all()), eva.subscribe(Filter::all()));
    tokio::join!(
        publish_numbers(&ana, COUNT, 64),
        publish_numbers(&eva, COUNT, 64),
        read_numbers(&mut at_ana, COUNT),
        read_numbers(&mut at_eva, COUNT),
    );
    let delivered = |e| match e {
        Event::Delivery { to_seq, reached, of, .. } if to_seq == COUNT => Some((reached, of)),
        _ => None,
    };
    assert_eq!(event(&mut events, "the last delivery", delivered).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_in_memory() {
    exchange(Group::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_over_tcp_with_noise() {
    exchange(Group::tcp()).await;
}

#[tokio::test]
async fn rooms_kinds_and_recipients() {
    let group = Group::memory();
    let (ana, mut events) = start(group.member("ana").found()).await;
    let lobby = Room::default();
    assert_eq!(ana.send(ana.id(), &lobby, 1, b"x").await, Err(PublishError::NoSuchMember));
    assert_eq!(ana.publish(&lobby, 0xff00, b"x").await, Err(PublishError::ReservedKind(0xff00)));
    let long = group.config.limits.message.bytes() + 1;
    assert!(matches!(ana.publish(&lobby, 1, &vec![0; long]).await, Err(PublishError::TooLarge { .. })));
    assert_eq!(room(&"x".repeat(100)), Err(PublishError::UnknownRoom));

    let eva = group.joiner("eva", &ana).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
    let tea = room("tea").unwrap();
    let mut direct = eva.subscribe(Filter::all().direct(true));
    let mut only_tea = eva.subscribe(Filter::all().room(tea.clone()).kinds(2..=3));
    ana.publish(&lobby, 2, b"no").await.unwrap();
    ana.publish(&tea, 1, b"no").await.unwrap();
    ana.publish(&tea, 3, b"yes").await.unwrap();
    let id = ana.send(eva.id(), &tea, 7, b"psst").await.unwrap();
    assert_eq!((id.seq, id.to), (1, Some(eva.id())));

    let batch = soon("a direct message", direct.next()).await.unwrap();
    let got: Vec<_> = batch.messages().collect();
    assert_eq!((got.len(), &got[0].payload[..], got[0].id), (1, &b"psst"[..], id));
    assert_eq!((batch.origin(), &**batch.nick(), batch.is_direct()), (ana.id(), "ana", true));
    let mut got = Vec::new();
    while got.is_empty() {
        let batch = soon("a message in the room", only_tea.next()).await.unwrap();
        got.extend(batch.messages());
    }
    assert_eq!((&got[0].payload[..], got[0].room.as_str()), (&b"yes"[..], "tea"));
    let members = eva.members().await;
    assert_eq!(members.len(), 2);
    assert!(members.iter().any(|m| m.peer == ana.id() && &*m.nick == "ana"));
    assert_eq!(eva.view().await.nodes.len(), 2);
}

#[tokio::test]
async fn newcomers_get_what_was_said_before() {
    let group = Group::memory();
    let ana = group.founder().await;
    ana.publish(&Room::default(), 1, b"early").await.unwrap();
    let builder = group.member("eva").join([ana.addr().to_string()]);
    let mut messages = builder.subscribe(Filter::all());
    let (_eva, _) = start(builder).await;
    let batch = soon("history", messages.next()).await.unwrap();
    assert_eq!(batch.messages().next().unwrap().payload[..], b"early"[..]);
    assert!(batch.is_history());
}

#[tokio::test]
async fn the_longest_message_arrives_and_a_longer_one_is_no_setting() {
    let mut group = Group::memory();
    group.config.limits.message = Size(PAYLOAD_MAX as u64);
    let (ana, mut events) = start(group.member("ana").found()).await;
    let eva = group.joiner("eva", &ana).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
    let longest = vec![7; PAYLOAD_MAX];
    let tea = room(&"t".repeat(ROOM_MAX)).unwrap();
    for direct in [false, true] {
        let mut messages = eva.subscribe(Filter::all().direct(direct));
        if direct {
            ana.send(eva.id(), &tea, 1, &longest).await.unwrap();
        } else {
            ana.publish(&tea, 1, &longest).await.unwrap();
        }
        let batch = soon("the longest message", messages.next()).await.unwrap();
        assert!(batch.messages().next().unwrap().payload == longest, "direct: {direct}");
    }
    group.config.limits.message = Size(PAYLOAD_MAX as u64 + 1);
    assert_eq!(group.member("uma").found().start().await.unwrap_err().code(), "unfit");
}
