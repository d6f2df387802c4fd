//! How members find each other while some of them come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tertulia::bus::{Filter, Node};
use tertulia::discovery::{Announcement, Discovery, DiscoveryError, Founding};
use tertulia::link::Locator;
use tertulia::store::{MemoryStore, Store};
use tertulia_core::engine::api::Event;
use tertulia_core::id::PeerId;
use tertulia_core::message::Room;
use tertulia_core::peers::State;
use tertulia_core::units::{Size, Span};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::common::{Group, event, soon, start};

/// Where the members of a group are announced.
struct Board {
    members: Mutex<Vec<(PeerId, Locator)>>,
    /// Somebody who is not there any more, and how often that is still answered.
    stale: Mutex<Option<Locator>>,
    left: AtomicUsize,
    founding: Arc<Semaphore>,
}

impl Board {
    fn new() -> Arc<Self> {
        Arc::new(Board {
            members: Mutex::default(),
            stale: Mutex::default(),
            left: AtomicUsize::new(0),
            founding: Arc::new(Semaphore::new(1)),
        })
    }

    /// The next `times` lookups find this one alone.
    fn is_late(&self, times: usize, at: &Locator) {
        *self.stale.lock() = Some(at.clone());
        self.left.store(times, Ordering::SeqCst);
    }

    /// The board as this member sees it.
    fn seen_by(self: &Arc<Self>) -> Arc<Seen> {
        Arc::new(Seen { board: self.clone(), me: Mutex::default() })
    }

    fn names(&self, who: PeerId) -> bool {
        self.members.lock().iter().any(|(peer, _)| *peer == who)
    }
}

struct Seen {
    board: Arc<Board>,
    me: Mutex<Option<PeerId>>,
}

#[async_trait]
impl Discovery for Seen {
    fn kind(&self) -> &'static str {
        "board"
    }
    async fn lookup(&self) -> Result<Vec<Locator>, DiscoveryError> {
        let late = self.board.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if late.is_ok() {
            return Ok(self.board.stale.lock().iter().cloned().collect());
        }
        Ok(self.board.members.lock().iter().map(|(_, at)| at.clone()).collect())
    }
    async fn announce(&self, me: &Announcement) -> Result<(), DiscoveryError> {
        self.withdraw().await;
        *self.me.lock() = Some(me.peer);
        self.board.members.lock().extend(me.addrs.first().map(|at| (me.peer, at.clone())));
        Ok(())
    }
    async fn withdraw(&self) {
        let me = *self.me.lock();
        self.board.members.lock().retain(|(peer, _)| Some(*peer) != me);
    }
    async fn founding(&self) -> Result<Founding, DiscoveryError> {
        Ok(Founding::held(self.board.founding.clone().acquire_owned().await.unwrap()))
    }
}

async fn linked(a: &Node, b: &Node) {
    soon("both to know each other", async {
        for (one, other) in [(a, b), (b, a)] {
            let there = |m: &tertulia::bus::Member| m.peer == other.id() && m.state == State::Alive;
            while !one.members().await.iter().any(there) {
                // Time may be paused here, and goes on only while everybody sleeps.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    })
    .await;
}

/// Leaving takes its time when somebody does not take what was said, but no more than is allowed; all the while nobody
/// is sent to whoever leaves.
#[tokio::test(start_paused = true)]
async fn whoever_leaves_is_not_found_any_more_and_is_gone_in_time() {
    let (mut group, board) = (Group::memory(), Board::new());
    group.config.limits.inbox = Size::kib(64);
    group.config.delivery.window = Size::kib(64);
    group.config.delivery.stall = Span::secs(60);
    let (ana, _) = start(group.member("ana").discovery(board.seen_by())).await;
    let (eva, mut events) = start(group.member("eva").discovery(board.seen_by())).await;
    linked(&ana, &eva).await;
    // Eva does not read, and ana says more than there is room for.
    let unread = eva.subscribe(Filter::all());
    let full = async { while ana.publish(&Room::default(), 1, &[7; 1024]).await.is_ok() {} };
    assert!(tokio::time::timeout(Duration::from_secs(5), full).await.is_err());
    let (leaving, before) = (ana.clone(), Instant::now());
    let leaving = tokio::spawn(async move { leaving.leave().await });
    soon("ana not to be found", async {
        while board.names(ana.id()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    event(&mut events, "the goodbye", |e| matches!(e, Event::Left(..)).then_some(())).await;
    assert!(before.elapsed() > Duration::from_secs(5), "nothing was in the way: {:?}", before.elapsed());
    soon("the end", leaving).await.unwrap();
    assert!(before.elapsed() <= Duration::from_secs(10), "{:?}", before.elapsed());
    assert!(board.names(eva.id()));
    drop(unread);
}

/// Both are told of a member that leaves, or has left: one of them founds, and the other one joins it.
#[tokio::test(start_paused = true)]
async fn newcomers_outlive_the_member_that_they_found() {
    let (group, board) = (Group::memory(), Board::new());
    let (ana, _) = start(group.member("ana").discovery(board.seen_by())).await;
    let at = ana.addr().clone();
    soon("leaving", ana.leave()).await;
    board.is_late(2, &at);
    let eva = start(group.member("eva").discovery(board.seen_by()));
    let ben = start(group.member("ben").discovery(board.seen_by()));
    let ((eva, _), (ben, _)) = tokio::join!(eva, ben);
    linked(&eva, &ben).await;
}

/// Two groups of one name that were never told of each other, as when a service had lost its list: both are announced in
/// the same place, and there they find each other.
#[tokio::test(start_paused = true)]
async fn groups_that_are_announced_in_one_place_meet() {
    let (group, board) = (Group::memory(), Board::new());
    let (ana, _) = start(group.member("ana").discovery(board.seen_by()).found()).await;
    let (eva, _) = start(group.member("eva").discovery(board.seen_by()).found()).await;
    linked(&ana, &eva).await;
}

/// A member that discovery does not see is remembered, and found through the address book.
#[tokio::test]
async fn remembered_members_are_found_where_discovery_finds_nobody() {
    let group = Group::memory();
    let (ana, mut events) = start(group.member("ana").discovery(Board::new().seen_by())).await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let eva = || group.member("eva").store(store.clone()).discovery(Board::new().seen_by());
    let (first, _) = start(eva().join([ana.addr().to_string()])).await;
    linked(&ana, &first).await;
    soon("leaving", first.leave()).await;
    event(&mut events, "the goodbye", |e| matches!(e, Event::Left(..)).then_some(())).await;
    let (second, _) = start(eva()).await;
    // A member from its first moment: it joined, and did not found another group that met this one later.
    let all = second.members().await;
    assert!(all.iter().any(|m| m.peer == ana.id() && m.state == State::Alive), "{all:?}");
}

/// Whoever was left alone is not kept out by an address book full of members that are gone.
#[tokio::test(start_paused = true)]
async fn nobody_is_locked_out_by_those_who_are_gone() {
    let (group, board) = (Group::memory(), Board::new());
    let (ana, _) = start(group.member("ana").discovery(board.seen_by())).await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let eva = || group.member("eva").store(store.clone()).discovery(board.seen_by());
    let (first, _) = start(eva()).await;
    linked(&ana, &first).await;
    soon("ana to leave", ana.leave()).await;
    soon("eva to leave", first.leave()).await;
    let before = Instant::now();
    let builder = eva();
    let mut events = builder.events(100);
    let _again = builder.start().await.unwrap();
    event(&mut events, "what it does", |e| matches!(e, Event::Waiting(_)).then_some(())).await;
    event(&mut events, "ready", |e| matches!(e, Event::Ready { .. }).then_some(())).await;
    assert!(before.elapsed() < Duration::from_millis(500), "{:?}", before.elapsed());
}
