//! The handle of a node.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tertulia_core::engine::Stats;
use tertulia_core::id::{Incarnation, MessageId, PeerId};
use tertulia_core::message::Room;
use tokio::sync::{mpsc, oneshot, watch};

use super::builder::Builder;
use super::error::{Outcome, PublishError, RequestError};
use super::filter::{APPLICATION, Filter};
use super::request::{Pending, REPLY, REQUEST, Request, Requests, numbered};
use super::shared::{Command, Member, Shared, TopologyView};
use super::subscription::{Events, Feed, Subscription};
use crate::codec::Codec;
use crate::link::Locator;

/// A node of a group; clones are handles of the same node.
///
/// The node leaves when [`leave`](Node::leave) is called or the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Node {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    outcome: watch::Receiver<Option<Outcome>>,
    codec: Arc<dyn Codec>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("me", &self.shared.me)
            .field("addr", &self.shared.addr)
            .finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

/// Microseconds since the Unix epoch.
fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn application(kind: u16) -> Result<(), PublishError> {
    if APPLICATION.contains(&kind) { Ok(()) } else { Err(PublishError::ReservedKind(kind)) }
}

impl Node {
    /// Begins to put a node together.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn new(
        shared: Arc<Shared>,
        commands: mpsc::Sender<Command>,
        outcome: watch::Receiver<Option<Outcome>>,
        codec: Arc<dyn Codec>,
    ) -> Self {
        Node { handle: Arc::new(Handle { shared, commands, outcome, codec }) }
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// This node's id.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.shared().me
    }

    /// This node's run.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.shared().incarnation
    }

    /// This node's nick, as it is now.
    #[must_use]
    pub fn nick(&self) -> Arc<str> {
        self.shared().nick.lock().clone()
    }

    /// Where others reach this node: concrete and dialable.
    #[must_use]
    pub fn addr(&self) -> &Locator {
        &self.shared().addr
    }

    /// Publishes a message to the group, and waits while `limits.pending` bytes wait already.
    ///
    /// Once this returns, the message reaches every member that stays, or this node learns that it does not: the
    /// `Delivery` event names the number in the id.
    ///
    /// # Errors
    /// When the message cannot be accepted; then it was not.
    pub async fn publish(&self, room: &Room, kind: u16, payload: &[u8]) -> Result<MessageId, PublishError> {
        application(kind)?;
        self.offer(None, room, kind, now_us(), payload).await
    }

    /// The same, for a message that was meant to be published at `planned_us` microseconds since the Unix epoch.
    ///
    /// # Errors
    /// As [`publish`](Node::publish).
    pub async fn publish_planned(
        &self,
        room: &Room,
        kind: u16,
        planned_us: u64,
        payload: &[u8],
    ) -> Result<MessageId, PublishError> {
        application(kind)?;
        self.offer(None, room, kind, planned_us, payload).await
    }

    /// Publishes a message to the group if there is room for it now.
    ///
    /// # Errors
    /// As [`publish`](Node::publish), and [`PublishError::Full`].
    pub fn try_publish(&self, room: &Room, kind: u16, payload: &[u8]) -> Result<MessageId, PublishError> {
        application(kind)?;
        self.shared().outgoing.offer(None, room, kind, now_us(), payload, |_| true)
    }

    /// Publishes a value, written by the profile's codec.
    ///
    /// # Errors
    /// As [`publish`](Node::publish), and [`PublishError::Codec`].
    pub async fn publish_typed(
        &self,
        room: &Room,
        kind: u16,
        value: &(dyn erased_serde::Serialize + Sync),
    ) -> Result<MessageId, PublishError> {
        let mut payload = Vec::new();
        self.codec().encode(&value, &mut payload).map_err(|error| PublishError::Codec(error.to_string()))?;
        self.publish(room, kind, &payload).await
    }

    /// The profile's codec, to read what [`publish_typed`](Node::publish_typed) wrote.
    #[must_use]
    pub fn codec(&self) -> &dyn Codec {
        &*self.handle.codec
    }

    /// Sends a message to one member alone, sealed to it, and waits while `limits.pending` bytes wait already.
    ///
    /// # Errors
    /// As [`publish`](Node::publish), and [`PublishError::NoSuchMember`].
    pub async fn send(
        &self,
        to: PeerId,
        room: &Room,
        kind: u16,
        payload: &[u8],
    ) -> Result<MessageId, PublishError> {
        application(kind)?;
        self.offer(Some(to), room, kind, now_us(), payload).await
    }

    /// Sends a message to one member alone if there is room for it now.
    ///
    /// # Errors
    /// As [`send`](Node::send), and [`PublishError::Full`].
    pub fn try_send(
        &self,
        to: PeerId,
        room: &Room,
        kind: u16,
        payload: &[u8],
    ) -> Result<MessageId, PublishError> {
        application(kind)?;
        let shared = self.shared();
        shared.outgoing.offer(Some(to), room, kind, now_us(), payload, |id| shared.knows(id))
    }

    async fn offer(
        &self,
        to: Option<PeerId>,
        room: &Room,
        kind: u16,
        planned_us: u64,
        payload: &[u8],
    ) -> Result<MessageId, PublishError> {
        // A publisher that never has to wait would keep its thread for ever.
        tokio::task::coop::consume_budget().await;
        let shared = self.shared();
        let known = |id: &PeerId| shared.knows(id);
        shared.outgoing.offer_when_room(to, room, kind, planned_us, payload, known).await
    }

    /// Asks a member, and waits for its answer.
    ///
    /// # Errors
    /// When the request cannot be sent, or no answer comes in time.
    pub async fn request(&self, to: PeerId, payload: &[u8], limit: Duration) -> Result<Bytes, RequestError> {
        let (ticket, answer) = self.shared().pending.open(to)?;
        let asked = async {
            let payload = numbered(ticket.number, payload);
            self.offer(Some(to), &Room::default(), REQUEST, now_us(), &payload).await?;
            answer.await.unwrap_or(Err(RequestError::Publish(PublishError::Left)))
        };
        tokio::time::timeout(limit, asked).await.unwrap_or(Err(RequestError::Timeout(limit)))
    }

    /// Requests of other members, from now on.
    #[must_use]
    pub fn requests(&self) -> Requests {
        let pending: &Arc<Pending> = &self.shared().pending;
        Requests::new(self.subscribe(Filter::requests()), pending.clone())
    }

    /// Answers a request.
    ///
    /// # Errors
    /// As [`send`](Node::send).
    pub async fn reply(&self, request: &Request, payload: &[u8]) -> Result<MessageId, PublishError> {
        let payload = numbered(request.number, payload);
        self.offer(Some(request.from), &Room::default(), REPLY, now_us(), &payload).await
    }

    /// Messages from now on; [`Builder::subscribe`] misses none.
    #[must_use]
    pub fn subscribe(&self, filter: Filter) -> Subscription {
        Subscription::new(&self.shared().hub, filter)
    }

    /// Events from now on; [`Builder::events`] misses none.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(&self.shared().hub, Events::USUAL)
    }

    /// Messages and events from now on, in one order; [`Builder::feed`] misses none.
    #[must_use]
    pub fn feed(&self, filter: Filter, events: usize) -> Feed {
        Feed::new(&self.shared().hub, filter, events)
    }

    /// Everybody known, oneself included. Empty once the node is over.
    pub async fn members(&self) -> Vec<Member> {
        self.ask(Command::Members).await.unwrap_or_default()
    }

    /// The topology as seen from here. Empty once the node is over.
    pub async fn view(&self) -> TopologyView {
        self.ask(Command::View).await.unwrap_or_default()
    }

    /// Figures of the engine since its start, repairs among them. All zero once the node is over.
    pub async fn stats(&self) -> Stats {
        self.ask(Command::Stats).await.unwrap_or_default()
    }

    /// Tells discovery that a member does not answer. Members that this node itself declares dead are told of anyway.
    pub async fn report(&self, dead: PeerId) {
        // Once the node is over, nobody is left to tell.
        let _told = self.handle.commands.send(Command::Report(dead)).await;
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (tx, rx) = oneshot::channel();
        self.handle.commands.send(question(tx)).await.ok()?;
        rx.await.ok()
    }

    /// Leaves: nothing more is accepted, what was accepted is delivered (at most 10 s), members are told, links close.
    pub async fn leave(&self) -> Outcome {
        self.shared().leave();
        self.over().await
    }

    /// Waits until the node is over, for whatever reason.
    pub async fn over(&self) -> Outcome {
        let mut outcome = self.handle.outcome.clone();
        let ended = outcome.wait_for(Option::is_some).await;
        ended.ok().and_then(|outcome| outcome.clone()).unwrap_or(Outcome::Failed)
    }
}
