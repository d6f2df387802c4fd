//! What applications read from a node: messages in batches, and events.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tertulia_core::engine::api::{Delivered, Event};
use tertulia_core::id::{Incarnation, MessageId, PeerId};
use tertulia_core::message::Room;

use super::filter::Filter;
use super::hub::Hub;
use super::mailbox::{Item, Mailbox};

/// The reading end of a mailbox.
#[derive(Debug)]
struct Reader {
    mailbox: Arc<Mailbox>,
    hub: Arc<Hub>,
    taken: VecDeque<Item>,
}

impl Reader {
    fn new(hub: &Arc<Hub>, mailbox: Mailbox) -> Self {
        Reader { mailbox: hub.subscribe(mailbox), hub: hub.clone(), taken: VecDeque::new() }
    }

    /// What waits, or `Err(true)` when more may come and `Err(false)` at the end.
    fn try_next(&mut self) -> Result<Item, bool> {
        if self.taken.is_empty() && !self.mailbox.swap(&mut self.taken) {
            return Err(false);
        }
        let item = self.taken.pop_front().ok_or(true)?;
        if let Item::Parcel(parcel) = &item {
            self.hub.took(self.mailbox.took(parcel));
        }
        Ok(item)
    }

    async fn next(&mut self) -> Option<Item> {
        loop {
            match self.try_next() {
                Ok(item) => return Some(item),
                Err(false) => return None,
                Err(true) => self.mailbox.wait().await,
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.mailbox.abandon();
        // The driver may have waited for this reader alone.
        self.hub.took(0);
    }
}

/// Messages that match a filter, in batches.
///
/// What is not read yet is bounded by `limits.inbox` bytes. When a subscriber stops reading, nothing is lost: the
/// node first holds data back, and later lets it pass by and asks for it again from those who keep it (see the
/// [module](super)). Drop a subscription that is no longer read.
#[derive(Debug)]
pub struct Subscription {
    reader: Reader,
    filter: Arc<Filter>,
}

impl Subscription {
    pub(crate) fn new(hub: &Arc<Hub>, filter: Filter) -> Self {
        Subscription { reader: Reader::new(hub, Mailbox::new(true, 0)), filter: Arc::new(filter) }
    }

    /// The next batch; `None` once the node is over and everything was read.
    pub async fn next(&mut self) -> Option<Batch> {
        loop {
            let item = self.reader.next().await?;
            if let Some(batch) = Batch::of(item, &self.filter, self.reader.hub.me()) {
                return Some(batch);
            }
        }
    }

    /// A batch that is here already.
    pub fn try_next(&mut self) -> Option<Batch> {
        loop {
            let item = self.reader.try_next().ok()?;
            if let Some(batch) = Batch::of(item, &self.filter, self.reader.hub.me()) {
                return Some(batch);
            }
        }
    }
}

/// An event, or the mark of missing ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Something for people or scripts.
    Event(Event),
    /// So many events were left out, since the subscriber did not read in time.
    Lagged(u64),
}

/// Events of a node.
#[derive(Debug)]
pub struct Events {
    reader: Reader,
}

impl Events {
    /// Events that wait for a subscriber at most, unless it asks for more.
    pub const USUAL: usize = 4096;

    pub(crate) fn new(hub: &Arc<Hub>, most: usize) -> Self {
        Events { reader: Reader::new(hub, Mailbox::new(false, most.max(1))) }
    }

    /// The next event; `None` once the node is over and everything was read.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            if let Some(notice) = Notice::of(self.reader.next().await?) {
                return Some(notice);
            }
        }
    }

    /// An event that is here already.
    pub fn try_next(&mut self) -> Option<Notice> {
        self.reader.try_next().ok().and_then(Notice::of)
    }
}

impl Notice {
    fn of(item: Item) -> Option<Notice> {
        match item {
            Item::Event(event) => Some(Notice::Event(event)),
            Item::Lagged(n) => Some(Notice::Lagged(n)),
            Item::Parcel(_) => None,
        }
    }
}

/// Messages and events in one order: the order in which they came about.
#[derive(Debug)]
pub struct Feed {
    messages: Subscription,
}

/// What a [`Feed`] yields.
#[derive(Clone, Debug)]
pub enum Told {
    /// Messages.
    Batch(Batch),
    /// An event, or the mark of missing ones.
    Notice(Notice),
}

impl Feed {
    pub(crate) fn new(hub: &Arc<Hub>, filter: Filter, events: usize) -> Self {
        let reader = Reader::new(hub, Mailbox::new(true, events.max(1)));
        Feed { messages: Subscription { reader, filter: Arc::new(filter) } }
    }

    /// What comes next; `None` once the node is over and everything was read.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            let told = match self.messages.reader.next().await? {
                item @ Item::Parcel(_) => {
                    Batch::of(item, &self.messages.filter, self.messages.reader.hub.me()).map(Told::Batch)
                }
                item => Notice::of(item).map(Told::Notice),
            };
            if told.is_some() {
                return told;
            }
        }
    }
}

/// Consecutive messages of one origin, never one's own.
#[derive(Clone, Debug)]
pub struct Batch {
    parcel: Delivered,
    filter: Arc<Filter>,
    me: PeerId,
}

impl Batch {
    fn of(item: Item, filter: &Arc<Filter>, me: PeerId) -> Option<Batch> {
        match item {
            Item::Parcel(parcel) if filter.parcel(&parcel) => {
                Some(Batch { parcel, filter: filter.clone(), me })
            }
            _ => None,
        }
    }

    /// Who published them.
    #[must_use]
    pub fn origin(&self) -> PeerId {
        self.parcel.id
    }

    /// The origin's nick when they arrived.
    #[must_use]
    pub fn nick(&self) -> &Arc<str> {
        &self.parcel.nick
    }

    /// The origin's run.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.parcel.incarnation
    }

    /// True for messages to this node alone.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.parcel.direct
    }

    /// True when they were published before this node was ready.
    #[must_use]
    pub fn is_history(&self) -> bool {
        self.parcel.history
    }

    /// Links that they crossed.
    #[must_use]
    pub fn hops(&self) -> u8 {
        self.parcel.hops
    }

    /// The messages that match, in order. They share the batch's memory.
    pub fn messages(&self) -> impl Iterator<Item = Received> + '_ {
        self.parcel.messages().zip(0..).filter(|(message, _)| self.filter.message(message)).map(
            |(message, index)| Received {
                id: self.parcel.message_id(index, self.me),
                room: message.room,
                kind: message.kind,
                planned_us: message.planned_us,
                payload: message.payload,
            },
        )
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its id, the same everywhere.
    pub id: MessageId,
    /// Its room.
    pub room: Room,
    /// What the payload is, by the application's own numbering.
    pub kind: u16,
    /// When it was meant to be published: microseconds since the Unix epoch, by the origin's clock.
    pub planned_us: u64,
    /// What was said. Keeping it keeps the memory of the parcel that it came in; copy what is kept for long.
    pub payload: Bytes,
}
