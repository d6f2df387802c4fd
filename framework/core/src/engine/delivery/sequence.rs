//! One order for all: deliveries that wait for the topology's word.
//!
//! A topology that knows one order of everybody's parcels holds deliveries back ([`Order::Held`]) and says which come
//! next ([`Act::Deliver`](crate::topology::Act::Deliver)). Parcels are committed, kept, told and passed on as ever; only the
//! application waits. When the topology stops holding, all that waits is handed over at once.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use super::super::Engine;
use super::super::api::Output;
use super::StreamId;
use crate::id::{Incarnation, Peer, PeerId};
use crate::time::Instant;
use crate::topology::{Input, Order};

/// Deliveries that wait, and words about them, at most; beyond that the order is given up.
const MOST: usize = 1 << 16;
/// How long one parcel that does not come holds the others back.
const PATIENCE: Duration = Duration::from_secs(15);

/// State of the one order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    /// What waits, by stream: the parcel's number, and what is to be handed over.
    held: BTreeMap<StreamId, VecDeque<(u64, Output)>>,
    waiting: usize,
    /// What comes next: streams up to a number.
    next: VecDeque<(PeerId, Incarnation, u64)>,
    /// When the first of them began to hold the others back.
    since: Option<Instant>,
}

impl Sequence {
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.since.filter(|_| !self.next.is_empty()).map(|at| at + PATIENCE)
    }

    fn release(&mut self, id: StreamId, upto: u64, out: &mut Vec<Output>) {
        let Some(held) = self.held.get_mut(&id) else { return };
        while let Some((_, output)) = held.pop_front_if(|(number, _)| *number <= upto) {
            self.waiting -= 1;
            out.push(output);
        }
        if held.is_empty() {
            self.held.remove(&id);
        }
    }
}

impl Engine {
    /// Hands something to the application, or keeps it until its turn comes.
    pub(super) fn hand_over(&mut self, id: StreamId, number: u64, output: Output) {
        if self.topology.order() != Order::Held {
            self.base.out.push(output);
            return;
        }
        let sequence = &mut self.delivery.sequence;
        sequence.held.entry(id).or_default().push_back((number, output));
        sequence.waiting += 1;
    }

    /// A parcel was committed: the topology is told, if it orders, and what waited for it goes on.
    pub(super) fn committed(&mut self, id: StreamId, number: u64) {
        if self.topology.order() != Order::Free {
            self.ask(Input::Committed { origin: id.0, incarnation: id.1, number });
            self.go_on();
        }
    }

    /// The topology says what comes next.
    pub(crate) fn deliver_next(&mut self, next: Vec<(PeerId, Incarnation, u64)>) {
        self.delivery.sequence.next.extend(next);
        self.go_on();
    }

    /// Hands over what has its turn.
    fn go_on(&mut self) {
        while let Some((origin, run, number)) = self.delivery.sequence.next.front().copied() {
            let id = self.base.peers.find(&origin).map(|peer| (peer, run));
            let top = |id: StreamId| self.delivery.stream(id).is_some_and(|s| s.top >= number);
            let mine = id.is_some_and(|id| id.0 == Peer::ME);
            let since = self.delivery.sequence.since;
            let overdue = since.is_some_and(|at| self.base.now.since(at) >= PATIENCE);
            if !mine && !id.is_some_and(top) && !overdue {
                self.delivery.sequence.since = since.or(Some(self.base.now));
                break;
            }
            let sequence = &mut self.delivery.sequence;
            sequence.since = None;
            sequence.next.pop_front();
            if let Some(id) = id {
                sequence.release(id, number, &mut self.base.out);
            }
        }
        let sequence = &self.delivery.sequence;
        if sequence.waiting > MOST || sequence.next.len() > MOST {
            self.give_order_up();
        }
    }

    /// Hands everything over that waits.
    fn give_order_up(&mut self) {
        let sequence = core::mem::take(&mut self.delivery.sequence);
        self.base.out.extend(sequence.held.into_values().flatten().map(|(_, output)| output));
    }

    /// Sees to what waits: nothing does when the topology holds nothing any more.
    pub(crate) fn check_order(&mut self) {
        let sequence = &self.delivery.sequence;
        if sequence.waiting == 0 && sequence.next.is_empty() {
            return;
        }
        if self.topology.order() != Order::Held {
            self.give_order_up();
        } else if sequence.next_deadline().is_some_and(|at| at <= self.base.now) {
            self.go_on();
        }
    }

    /// An origin is forgotten: what it said is handed over before its handle names another.
    pub(crate) fn forget_order(&mut self, origin: Peer) {
        let all = (origin, Incarnation(0))..=(origin, Incarnation(u64::MAX));
        let ids: Vec<StreamId> = self.delivery.sequence.held.range(all).map(|(id, _)| *id).collect();
        for id in ids {
            self.delivery.sequence.release(id, u64::MAX, &mut self.base.out);
        }
    }
}
