//! What the application publishes, gathered into bodies of parcels before the driver looks.
//!
//! `publish` encodes a message behind the ones that wait already, under a lock held for some tens of nanoseconds, and
//! gives it its number there. The driver takes a whole body whenever the engine can use one. There is no timer: an
//! idle driver takes the first message at once, a busy one finds all that came meanwhile.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tertulia_core::id::{Incarnation, MessageId, PeerId};
use tertulia_core::message::{self, Draft, Room};
use tertulia_core::parcel::BODY_TARGET;
use tokio::sync::Notify;

use super::error::PublishError;

/// Consecutive messages of one stream, to be made a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    /// The recipient, or the group.
    pub(crate) to: Option<PeerId>,
    /// The messages.
    pub(crate) draft: Draft,
}

/// Where a node stands, as far as publishing is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Joining,
    Member,
    Gone,
}

/// Which bodies for the group the driver has a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Nothing,
    /// Those that nothing more fits into.
    Full,
    Any,
}

/// The queue between publishers and the driver.
#[derive(Debug)]
pub(crate) struct Outgoing {
    state: Mutex<State>,
    limits: Limits,
    /// Publishers that wait for room.
    room: Notify,
    driver: Arc<Notify>,
}

/// What bounds the queue, and whose messages it numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) me: PeerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) message: usize,
    pub(crate) pending: usize,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Bytes that wait.
    bytes: usize,
    group: Stream,
    direct: BTreeMap<PeerId, Stream>,
    /// Recipients with something that waits, each once, in the order in which it began to.
    turns: VecDeque<PeerId>,
    /// What the driver, asleep, wants to know of: of the group's, and of direct messages.
    wants: (Wants, bool),
    /// Publishers wait for room.
    waiting: usize,
}

#[derive(Debug, Default)]
struct Stream {
    /// Messages numbered so far.
    seq: u64,
    /// Bodies that nothing more fits into.
    full: VecDeque<Draft>,
    forming: Draft,
}

impl Stream {
    fn is_empty(&self) -> bool {
        self.forming.is_empty() && self.full.is_empty()
    }

    /// True when there is a body that is wanted.
    fn has(&self, wants: Wants) -> bool {
        match wants {
            Wants::Nothing => false,
            Wants::Full => !self.full.is_empty() || self.forming.len() >= BODY_TARGET,
            Wants::Any => !self.is_empty(),
        }
    }

    fn add(&mut self, len: usize, write: impl FnOnce(&mut Draft)) -> u64 {
        if !self.forming.is_empty() && self.forming.len() + len > BODY_TARGET {
            // More than one body waits: the next one will be large too.
            let next = Draft::new(BODY_TARGET.max(len));
            self.full.push_back(std::mem::replace(&mut self.forming, next));
        }
        write(&mut self.forming);
        self.seq += 1;
        self.seq
    }

    fn take(&mut self) -> Option<Draft> {
        let some = !self.forming.is_empty();
        self.full.pop_front().or_else(|| some.then(|| std::mem::take(&mut self.forming)))
    }
}

impl Outgoing {
    /// An empty queue; `driver` is told when it sleeps and something comes.
    pub(crate) fn new(limits: Limits, driver: Arc<Notify>) -> Self {
        let state = State {
            phase: Phase::Joining,
            bytes: 0,
            group: Stream::default(),
            direct: BTreeMap::new(),
            turns: VecDeque::new(),
            wants: (Wants::Nothing, false),
            waiting: 0,
        };
        Outgoing { state: Mutex::new(state), limits, room: Notify::new(), driver }
    }

    /// Accepts a message, or says why not. `known` tells whether a recipient met for the first time is a member.
    pub(crate) fn offer(
        &self,
        to: Option<PeerId>,
        room: &Room,
        kind: u16,
        planned_us: u64,
        payload: &[u8],
        known: impl FnOnce(&PeerId) -> bool,
    ) -> Result<MessageId, PublishError> {
        let Limits { me, incarnation, message: limit, pending } = self.limits;
        if payload.len() > limit {
            return Err(PublishError::TooLarge { len: payload.len(), limit });
        }
        let len = message::encoded_len(room, payload);
        let mut guard = self.state.lock();
        let state = &mut *guard;
        match state.phase {
            Phase::Member => {}
            Phase::Joining => return Err(PublishError::NotReady),
            Phase::Gone => return Err(PublishError::Left),
        }
        if state.bytes + len > pending && state.bytes > 0 {
            return Err(PublishError::Full);
        }
        let stream = match to {
            None => &mut state.group,
            Some(to) => {
                if !state.direct.contains_key(&to) && !known(&to) {
                    return Err(PublishError::NoSuchMember);
                }
                let stream = state.direct.entry(to).or_default();
                if stream.is_empty() {
                    state.turns.push_back(to);
                }
                stream
            }
        };
        let seq = stream.add(len, |draft| draft.push(room, kind, planned_us, payload));
        state.bytes += len;
        let wanted = if to.is_none() { state.group.has(state.wants.0) } else { state.wants.1 };
        if wanted {
            state.wants = (Wants::Nothing, false);
        }
        drop(guard);
        if wanted {
            self.driver.notify_one();
        }
        Ok(MessageId { origin: me, incarnation, to, seq })
    }

    /// The same, waiting for room.
    pub(crate) async fn offer_when_room(
        &self,
        to: Option<PeerId>,
        room: &Room,
        kind: u16,
        planned_us: u64,
        payload: &[u8],
        known: impl Fn(&PeerId) -> bool,
    ) -> Result<MessageId, PublishError> {
        loop {
            match self.offer(to, room, kind, planned_us, payload, &known) {
                Err(PublishError::Full) => {}
                other => return other,
            }
            let mut free = std::pin::pin!(self.room.notified());
            free.as_mut().enable();
            let waiting = Waiting::new(self);
            // Room may have come between the two locks.
            match self.offer(to, room, kind, planned_us, payload, &known) {
                Err(PublishError::Full) => free.await,
                other => return other,
            }
            drop(waiting);
        }
    }

    /// Bytes of the group's body that still grows; 0 when none does.
    pub(crate) fn group_len(&self) -> usize {
        self.state.lock().group.forming.len()
    }

    /// The next body for the group, if there is one that is wanted.
    pub(crate) fn take_group(&self, wants: Wants) -> Option<Body> {
        let mut state = self.state.lock();
        if !state.group.has(wants) {
            return None;
        }
        let draft = state.group.take()?;
        self.took(state, draft.len());
        Some(Body { to: None, draft })
    }

    /// The next body for one member that is open to more; recipients take turns.
    pub(crate) fn take_direct(&self, open: impl Fn(&PeerId) -> bool) -> Option<Body> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let at = state.turns.iter().position(&open)?;
        let to = state.turns.remove(at)?;
        let stream = state.direct.get_mut(&to)?;
        let draft = stream.take()?;
        if !stream.is_empty() {
            state.turns.push_back(to);
        }
        self.took(guard, draft.len());
        Some(Body { to: Some(to), draft })
    }

    fn took(&self, mut state: parking_lot::MutexGuard<'_, State>, len: usize) {
        state.bytes -= len;
        let wake = state.waiting > 0 && state.bytes <= self.limits.pending / 2;
        drop(state);
        if wake {
            self.room.notify_waiters();
        }
    }

    /// The driver goes to sleep: true when nothing waits that it could use. It is woken by what comes.
    pub(crate) fn sleep(&self, group: Wants, open: impl Fn(&PeerId) -> bool) -> bool {
        let mut state = self.state.lock();
        let idle = !state.group.has(group) && !state.turns.iter().any(open);
        state.wants = if idle { (group, true) } else { (Wants::Nothing, false) };
        idle
    }

    /// True when nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().bytes == 0
    }

    /// Enters a phase; publishers that wait learn of it.
    pub(crate) fn enter(&self, phase: Phase) {
        self.state.lock().phase = phase;
        self.room.notify_waiters();
    }
}

/// Counts a publisher as waiting, however it ends.
struct Waiting<'a>(&'a Outgoing);

impl<'a> Waiting<'a> {
    fn new(outgoing: &'a Outgoing) -> Self {
        outgoing.state.lock().waiting += 1;
        Waiting(outgoing)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state.lock().waiting -= 1;
    }
}

#[cfg(test)]
mod tests;
