//! Beginnings and ends.

use std::sync::Arc;

use tertulia::bus::{Filter, Outcome, PublishError};
use tertulia::store::{MemoryStore, Store};
use tertulia_core::engine::api::Event;
use tertulia_core::message::Room;

use crate::common::{Closed, Group, event, key, soon, start};

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn leaving_delivers_tells_and_ends_every_task() {
    let group = Group::memory();
    let (ana, mut events) = start(group.member("ana").found()).await;
    let before = tasks();
    let eva = group.joiner("eva", &ana).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
    let mut messages = ana.subscribe(Filter::all());
    let lobby = Room::default();
    for _ in 0..1000 {
        eva.publish(&lobby, 1, &[7; 100]).await.unwrap();
    }
    assert_eq!(soon("leaving", eva.leave()).await, Outcome::Left);
    assert_eq!(eva.publish(&lobby, 1, b"late").await, Err(PublishError::Left));
    let mut got = 0;
    while got < 1000 {
        got += soon("messages", messages.next()).await.unwrap().messages().count();
    }
    event(&mut events, "the goodbye", |e| match e {
        Event::Left(who, _) if &*who.nick == "eva" => Some(()),
        Event::Dead(..) => panic!("eva looks dead"),
        _ => None,
    })
    .await;
    // Ana's tasks for the link end as well, in their own time.
    soon("the end of all tasks", async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_handle_takes_the_node_along() {
    let group = Group::memory();
    let idle = tasks();
    let ana = group.founder().await;
    let other = ana.clone();
    drop(ana);
    assert_eq!(&*other.nick(), "ana");
    let mut messages = other.subscribe(Filter::all());
    drop(other);
    assert!(soon("the end", messages.next()).await.is_none());
    soon("the end of all tasks", async {
        while tasks() > idle {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_secret_is_refused_at_once() {
    let group = Group::memory();
    let (ana, mut at_ana) = start(group.member("ana").found()).await;
    let stranger = group.member("mallory").group(key(2)).join([ana.addr().to_string()]);
    let mut events = stranger.events(100);
    let node = stranger.start().await.unwrap();
    let code = event(&mut events, "a refusal", |e| match e {
        Event::Refused { code, .. } => Some(code),
        _ => None,
    })
    .await;
    assert_eq!(code, "wrong-secret");
    assert!(matches!(soon("the end", node.over()).await, Outcome::Refused { code: "wrong-secret", .. }));
    let told = event(&mut at_ana, "the other side's reason", |e| match e {
        Event::Trouble { code, .. } => Some(code),
        _ => None,
    });
    assert_eq!(told.await, "wrong-secret");
    assert_eq!(ana.members().await.len(), 1);
}

#[tokio::test]
async fn who_returns_is_remembered_and_whole() {
    let group = Group::memory();
    let (ana, mut events) = start(group.member("ana").found()).await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let eva = || group.member("eva").store(store.clone());
    let (first, _) = start(eva().join([ana.addr().to_string()])).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
    let (id, run) = (first.id(), first.incarnation());
    first.publish(&Room::default(), 1, b"before").await.unwrap();
    // The address book is written a moment after it changed: a founder has nobody to remember.
    assert_eq!(soon("leaving", first.leave()).await, Outcome::Left);

    let (second, _) = start(eva().join([ana.addr().to_string()])).await;
    assert_eq!(second.id(), id);
    assert!(second.incarnation() > run);
    let mut at_ana = ana.subscribe(Filter::all().without_history());
    let mut at_eva = second.subscribe(Filter::all().without_history());
    soon("both directions", async {
        second.publish(&Room::default(), 1, b"after").await.unwrap();
        ana.publish(&Room::default(), 1, b"welcome").await.unwrap();
        let all = |batch: tertulia::bus::Batch| batch.messages().map(|m| m.payload).collect::<Vec<_>>();
        while !all(at_ana.next().await.unwrap()).iter().any(|p| p[..] == b"after"[..]) {}
        while !all(at_eva.next().await.unwrap()).iter().any(|p| p[..] == b"welcome"[..]) {}
    })
    .await;
}

/// What is accepted while nothing can be sent is not said to have been handed on.
#[tokio::test(start_paused = true)]
async fn leaving_tells_when_something_stays_behind() {
    let group = Group::memory();
    let (ana, _) = start(group.member("ana").topology(Box::new(Closed)).found()).await;
    ana.publish(&Room::default(), 1, b"where to?").await.unwrap();
    assert_eq!(soon("leaving", ana.leave()).await, Outcome::LeftEarly);
}
