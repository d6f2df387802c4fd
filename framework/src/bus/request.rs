//! Requests and replies: direct messages with a number in front.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use tertulia_core::engine::api::Delivered;
use tertulia_core::id::PeerId;
use tokio::sync::oneshot;

use super::error::RequestError;
use super::subscription::{Batch, Received, Subscription};

/// The kind of a request: a number of the requester's choice (8 bytes, little-endian), then the payload.
pub(crate) const REQUEST: u16 = 0xff00;
/// The kind of a reply: the request's number, then the payload.
pub(crate) const REPLY: u16 = 0xff01;
/// The kind that says that nobody answers requests here: the request's number alone.
pub(crate) const UNANSWERED: u16 = 0xff02;

/// Bytes of the number.
pub(crate) const PREFIX: usize = 8;
/// Requests that wait for an answer at most.
const WAITING: usize = 4096;

type Answer = Result<Bytes, RequestError>;

/// Requests of this node that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    waiting: Mutex<BTreeMap<u64, (PeerId, oneshot::Sender<Answer>)>>,
    next: AtomicU64,
    /// Subscribers that answer requests.
    pub(crate) answering: AtomicUsize,
}

impl Pending {
    /// Notes a request; the guard forgets it when the requester gives up.
    pub(crate) fn open(
        self: &Arc<Self>,
        to: PeerId,
    ) -> Result<(Ticket, oneshot::Receiver<Answer>), RequestError> {
        let (tx, rx) = oneshot::channel();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        if waiting.len() >= WAITING {
            return Err(RequestError::TooMany);
        }
        waiting.insert(number, (to, tx));
        Ok((Ticket { pending: self.clone(), number }, rx))
    }

    /// A direct parcel came: replies in it go to who waits. Returns the numbers of requests that nobody here answers.
    pub(crate) fn read(&self, parcel: &Delivered) -> Vec<u64> {
        let mut unanswered = Vec::new();
        for message in parcel.messages() {
            let Some(number) = message.payload.first_chunk().map(|n| u64::from_le_bytes(*n)) else {
                continue;
            };
            match message.kind {
                REQUEST if self.answering.load(Ordering::Acquire) == 0 => unanswered.push(number),
                REPLY => self.answer(number, parcel.id, Ok(message.payload.slice(PREFIX..))),
                UNANSWERED => self.answer(number, parcel.id, Err(RequestError::Unanswered)),
                _ => {}
            }
        }
        unanswered
    }

    /// Messages to this member will not arrive.
    pub(crate) fn undeliverable(&self, to: PeerId, reason: &'static str) {
        let mut waiting = self.waiting.lock();
        let lost: Vec<u64> = waiting.iter().filter(|(_, (peer, _))| *peer == to).map(|(n, _)| *n).collect();
        for number in lost {
            if let Some((_, tx)) = waiting.remove(&number) {
                // Whoever asked may have given up: then nobody needs to know.
                let _gone = tx.send(Err(RequestError::Undeliverable(reason)));
            }
        }
    }

    /// Only who was asked can answer.
    fn answer(&self, number: u64, from: PeerId, answer: Answer) {
        let mut waiting = self.waiting.lock();
        if waiting.get(&number).is_some_and(|(to, _)| *to == from)
            && let Some((_, tx)) = waiting.remove(&number)
        {
            let _gone = tx.send(answer);
        }
    }

    /// The node is over.
    pub(crate) fn close(&self) {
        self.waiting.lock().clear();
    }
}

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Ticket {
    pending: Arc<Pending>,
    pub(crate) number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pending.waiting.lock().remove(&self.number);
    }
}

/// Puts a request's number before a payload.
pub(crate) fn numbered(number: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX + payload.len());
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Requests of other members, to be answered with [`Node::reply`](super::Node::reply).
///
/// While one of these exists, requests to this node wait in it; without any, requesters are told at once that nobody
/// answers.
#[derive(Debug)]
pub struct Requests {
    messages: Subscription,
    batch: Option<(Batch, Vec<Received>)>,
    pending: Arc<Pending>,
}

impl Requests {
    pub(crate) fn new(messages: Subscription, pending: Arc<Pending>) -> Self {
        pending.answering.fetch_add(1, Ordering::AcqRel);
        Requests { messages, batch: None, pending }
    }

    /// The next request; `None` once the node is over.
    pub async fn next(&mut self) -> Option<Request> {
        loop {
            if let Some((batch, rest)) = &mut self.batch
                && let Some(message) = rest.pop()
                && let Some(number) = message.payload.first_chunk()
            {
                let number = u64::from_le_bytes(*number);
                return Some(Request {
                    from: batch.origin(),
                    number,
                    payload: message.payload.slice(PREFIX..),
                });
            }
            let batch = self.messages.next().await?;
            let mut rest: Vec<_> = batch.messages().filter(|m| m.payload.len() >= PREFIX).collect();
            rest.reverse();
            self.batch = Some((batch, rest));
        }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.pending.answering.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A request of another member.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub from: PeerId,
    /// The requester's number for it.
    pub(crate) number: u64,
    /// What is asked.
    pub payload: Bytes,
}
