//! What a topology keeps is safe before anything leaves that relies on it, and the next run gets it back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use bytes::Bytes;
use tertulia::bus::{Events, Filter, Notice};
use tertulia::store::{Loaded, MemoryStore, Store, StoreError};
use tertulia_core::config::Scope;
use tertulia_core::engine::api::Event;
use tertulia_core::id::Peer;
use tertulia_core::message::Room;
use tertulia_core::peers::PeerTable;
use tertulia_core::time::Instant;
use tertulia_core::topology::{Ctx, Input, Needs, Topology, View};

use crate::common::{Group, event, soon, start};

/// Keeps a word when it gets a link, then says it there, and again with each message; tells as `waiting` what it hears
/// and what it kept.
#[derive(Clone)]
struct Keeper(&'static str);

impl Topology for Keeper {
    fn kind(&self) -> &'static str {
        "keeper"
    }
    fn needs(&self) -> Needs {
        Needs { roster: Scope::Group, reliable: false }
    }
    fn on_input(&mut self, cx: &mut Ctx<'_>, input: Input<'_>) {
        match input {
            Input::Join { .. } => cx.out.joined(),
            Input::Leave => cx.out.left(),
            Input::LinkUp { peer } => {
                cx.out.want(peer);
                cx.out.persist(Bytes::from_static(self.0.as_bytes()));
                cx.out.send(peer, Bytes::from_static(self.0.as_bytes()));
            }
            Input::Frame { body: word, .. } | Input::Restored { slot: word } => {
                cx.out.waiting(String::from_utf8_lossy(word).into_owned());
            }
            Input::Route { .. } => {
                let linked = cx.peers.live().filter(|(p, e)| e.linked && *p != Peer::ME);
                linked.for_each(|(p, _)| {
                    cx.out.eager(p);
                    cx.out.send(p, Bytes::from_static(self.0.as_bytes()));
                });
            }
            _ => {}
        }
    }
    fn next_deadline(&self) -> Option<Instant> {
        None
    }
    fn on_deadline(&mut self, _: &mut Ctx<'_>) {}
    fn view(&self, _: &PeerTable) -> View {
        View { kind: "keeper", ..View::default() }
    }
}

/// A store that writes what the topology keeps only when it is let, and fails so many times.
struct Gate {
    inner: MemoryStore,
    open: (Mutex<bool>, Condvar),
    fails: AtomicU32,
}

impl Gate {
    fn new(open: bool, fails: u32) -> Arc<Gate> {
        let (inner, fails) = (MemoryStore::default(), AtomicU32::new(fails));
        Arc::new(Gate { inner, open: (Mutex::new(open), Condvar::new()), fails })
    }

    fn open(&self) {
        *self.open.0.lock().unwrap() = true;
        self.open.1.notify_all();
    }
}

impl Store for Gate {
    fn kind(&self) -> &'static str {
        "gate"
    }
    fn load(&self, item: &'static str) -> Result<Loaded, StoreError> {
        self.inner.load(item)
    }
    fn save(&self, item: &'static str, bytes: &[u8]) -> Result<(), StoreError> {
        if item == "topology" {
            let open = self.open.1.wait_while(self.open.0.lock().unwrap(), |open| !*open).unwrap();
            drop(open);
            let fewer = |fails: u32| fails.checked_sub(1);
            if self.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
                return Err(StoreError::TooLong(item.into()));
            }
        }
        self.inner.save(item, bytes)
    }
}

fn waiting(event: Event) -> Option<String> {
    match event {
        Event::Waiting(word) => Some(word),
        _ => None,
    }
}

fn not_kept(event: Event) -> Option<String> {
    match event {
        Event::Trouble { code: "not-kept", reason, .. } => Some(reason),
        _ => None,
    }
}

/// What ana has heard by now, and that a message of eva's gets through meanwhile.
async fn heard_beside_a_message(gate: Arc<Gate>, open: bool) -> Vec<String> {
    let group = Group::memory();
    let (ana, mut events) = start(group.member("ana").topology(Box::new(Keeper("ana"))).found()).await;
    let mut messages = ana.subscribe(Filter::all());
    let eva = group.member("eva").topology(Box::new(Keeper("eva"))).store(gate.clone());
    let (eva, _) = start(eva.join([ana.addr().to_string()])).await;
    eva.publish(&Room::default(), 1, b"meanwhile").await.unwrap();
    soon("the message", messages.next()).await.unwrap();
    let mut heard = Vec::new();
    if open {
        gate.open();
        heard.push(event(&mut events, "the word", waiting).await);
    }
    ana.leave().await;
    while let Some(Notice::Event(event)) = events.next().await {
        heard.extend(waiting(event));
    }
    gate.open();
    heard.dedup();
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_before_it_is_safe() {
    assert_eq!(heard_beside_a_message(Gate::new(false, 0), false).await, Vec::<String>::new());
    assert_eq!(heard_beside_a_message(Gate::new(false, 0), true).await, vec!["eva"]);
}

/// What is said again relies on what was to be kept as well, and nothing that was said is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_when_it_cannot_be_kept_until_it_can() {
    let group = Group::memory();
    let (ana, mut at_ana) = start(group.member("ana").topology(Box::new(Keeper("ana"))).found()).await;
    let mut messages = ana.subscribe(Filter::all());
    let gate = Gate::new(true, u32::MAX);
    let eva = group.member("eva").topology(Box::new(Keeper("eva"))).store(gate.clone());
    let eva = eva.join([ana.addr().to_string()]);
    let mut at_eva = eva.events(Events::USUAL);
    let eva = eva.start().await.unwrap();
    event(&mut at_eva, "an error", not_kept).await;
    eva.publish(&Room::default(), 1, b"meanwhile").await.unwrap();
    soon("the message", messages.next()).await.unwrap();
    eva.publish(&Room::default(), 1, b"once more").await.unwrap();
    soon("the message", messages.next()).await.unwrap();
    while let Some(notice) = at_ana.try_next() {
        let Notice::Event(event) = notice else { continue };
        assert_eq!(waiting(event), None, "it is not safe");
    }
    gate.fails.store(2, Ordering::SeqCst);
    assert_eq!(event(&mut at_ana, "the word", waiting).await, "eva");
    eva.leave().await;
    while let Some(notice) = at_eva.next().await {
        let Notice::Event(event) = notice else { continue };
        assert_eq!(not_kept(event), None, "told once");
    }
}

#[tokio::test]
async fn the_next_run_gets_it_back() {
    let group = Group::memory();
    let store = Arc::new(MemoryStore::default());
    store.save("topology", b"from before").unwrap();
    let builder = group.member("eva").topology(Box::new(Keeper("eva"))).store(store).found();
    let mut events = builder.events(64);
    let node = builder.start().await.unwrap();
    assert_eq!(event(&mut events, "the word", waiting).await, "from before");
    node.leave().await;
}
