//! What happens when somebody is slow.

use std::time::Duration;

use tertulia::bus::{Filter, PublishError};
use tertulia_core::engine::api::Event;
use tertulia_core::message::Room;
use tertulia_core::units::{Size, Span};

use crate::common::{Group, event, soon, start};
use crate::exchange::{publish_numbers, read_numbers};

/// Messages of 1 KiB: many times what all queues here hold together.
const COUNT: u64 = 40_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_subscriber_loses_nothing_and_looks_alive() {
    let mut group = Group::memory();
    group.config.limits.inbox = Size::kib(256);
    group.config.detector.suspicion = Span::millis(500);
    let (ana, mut events) = start(group.member("ana").found()).await;
    let eva = group.joiner("eva", &ana).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
    let mut stuck = eva.subscribe(Filter::all());
    // Eva does not read: ana is slowed down for a while and then goes on without her.
    soon("publishing", publish_numbers(&ana, COUNT, 1024)).await;
    // Longer than any suspicion lasts; ended by the event that must not come.
    let suspected = async {
        event(&mut events, "a suspicion", |e| match e {
            Event::Suspect(..) | Event::Dead(..) => Some(()),
            _ => None,
        })
        .await;
    };
    assert!(tokio::time::timeout(Duration::from_secs(3), suspected).await.is_err(), "eva looks dead");
    read_numbers(&mut stuck, COUNT).await;
    drop(eva);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_slows_the_publisher_down() {
    let mut group = Group::memory();
    group.config.limits.inbox = Size::kib(512);
    group.config.limits.pending = Size::kib(64);
    group.config.delivery.window = Size::kib(256);
    group.config.delivery.stall = Span::secs(30);
    let (ana, mut events) = start(group.member("ana").found()).await;
    let eva = group.joiner("eva", &ana).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
    let mut slow = eva.subscribe(Filter::all());
    let lobby = Room::default();
    let mut payload = vec![0; 1024];
    let mut accepted = 0u64;
    // Until everything on the way is full.
    let refused = soon("a refusal that stays", async {
        let mut refusals = 0;
        loop {
            payload[..8].copy_from_slice(&accepted.to_le_bytes());
            match ana.try_publish(&lobby, 1, &payload) {
                Ok(_) => (accepted, refusals) = (accepted + 1, 0),
                Err(PublishError::Full) if refusals > 200 => return true,
                Err(PublishError::Full) => {
                    refusals += 1;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err(other) => panic!("{other}"),
            }
        }
    })
    .await;
    assert!(refused);
    assert!(accepted < 4096, "{accepted} KiB were accepted");
    let waiting = ana.publish(&lobby, 1, &payload);
    let mut waiting = std::pin::pin!(waiting);
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut waiting).await.is_err());
    // The number that waits is the next one, so that the reader finds all in order.
    let (id, ()) = tokio::join!(soon("room", waiting), read_numbers(&mut slow, accepted + 1));
    assert_eq!(id.unwrap().seq, accepted + 1);
}

#[tokio::test]
async fn a_subscription_that_is_dropped_holds_nobody_up() {
    let mut group = Group::memory();
    group.config.limits.inbox = Size::kib(64);
    let (ana, mut events) = start(group.member("ana").found()).await;
    let eva = group.joiner("eva", &ana).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
    let stuck = eva.subscribe(Filter::all());
    let mut reader = eva.subscribe(Filter::all());
    tokio::join!(publish_numbers(&ana, 2000, 1024), async {
        drop(stuck);
        read_numbers(&mut reader, 2000).await;
    });
}
