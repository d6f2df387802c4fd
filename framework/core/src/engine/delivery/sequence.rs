//! One order for all: deliveries that wait for the topology's word.
//!
//! A topology that knows one order of everybody's parcels holds deliveries back ([`Order::Held`]) and says which come
//! next ([`Act::Deliver`](crate::topology::Act::Deliver)). Parcels are committed, kept, told and passed on as ever; only the
//! application waits. When so much waits that there is no room for more, only what comes next is committed. When the
//! topology stops holding, or nothing goes on for long, all that waits is handed over at once.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use super::super::Engine;
use super::super::api::Output;
use super::StreamId;
use super::receive::AHEAD_TOTAL;
use crate::id::{Incarnation, Peer, PeerId};
use crate::time::Instant;
use crate::topology::{Input, Order};

/// Words about what comes next, at most; beyond that the order is given up.
const MOST: usize = 1 << 16;
/// How long all may stand still because of what does not come.
const PATIENCE: Duration = Duration::from_secs(15);
/// What a delivery that waits costs beside its bytes.
const OVERHEAD: usize = 160;

/// A stream, and up to where it comes next.
type Step = (PeerId, Incarnation, u64);

/// State of the one order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    /// What waits, by stream: the parcel's number, and what is to be handed over.
    held: BTreeMap<StreamId, VecDeque<(u64, Output)>>,
    bytes: usize,
    /// What comes next.
    next: VecDeque<Step>,
    /// What had its turn and was not here: it is handed over when it comes.
    passed: BTreeMap<(PeerId, Incarnation), u64>,
    /// Since when nothing has gone on, while something waits.
    since: Option<Instant>,
}

fn cost(output: &Output) -> usize {
    let bytes = if let Output::Deliver(delivered) = output { delivered.body.len() } else { 0 };
    bytes + OVERHEAD
}

impl Sequence {
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.since.map(|at| at + PATIENCE)
    }

    /// Hands over what is here of a stream; true when anything is.
    fn release(&mut self, id: StreamId, upto: u64, out: &mut Vec<Output>) -> bool {
        let Some(held) = self.held.get_mut(&id) else { return false };
        let before = out.len();
        while let Some((_, output)) = held.pop_front_if(|(number, _)| *number <= upto) {
            self.bytes -= cost(&output);
            out.push(output);
        }
        if held.is_empty() {
            self.held.remove(&id);
        }
        out.len() > before
    }

    /// What is not here yet goes without order when it comes.
    fn pass(&mut self, (origin, run, number): Step) {
        if self.passed.len() < MOST || self.passed.contains_key(&(origin, run)) {
            let passed = self.passed.entry((origin, run)).or_default();
            *passed = number.max(*passed);
        }
    }

    /// Notes when things last went on.
    fn rest(&mut self, moved: bool, now: Instant) {
        let waits = !self.held.is_empty() || !self.next.is_empty();
        self.since = waits.then(|| self.since.filter(|_| !moved).unwrap_or(now));
    }
}

impl Engine {
    /// Hands something to the application, or keeps it until its turn comes.
    pub(super) fn hand_over(&mut self, id: StreamId, number: u64, output: Output) {
        let stream = (self.base.peers.id(id.0), id.1);
        let sequence = &mut self.delivery.sequence;
        let passed = sequence.passed.get(&stream).is_some_and(|&upto| number <= upto);
        if passed || self.topology.order() != Order::Held {
            self.base.out.push(output);
            return;
        }
        sequence.bytes += cost(&output);
        sequence.held.entry(id).or_default().push_back((number, output));
    }

    /// A parcel was committed: the topology is told, if it orders, and what waited for it goes on.
    pub(super) fn committed(&mut self, id: StreamId, number: u64) {
        if self.topology.order() == Order::Free {
            return;
        }
        let stream = (self.base.peers.id(id.0), id.1);
        let passed = &mut self.delivery.sequence.passed;
        if passed.get(&stream).is_some_and(|&upto| number >= upto) {
            passed.remove(&stream);
        }
        self.ask(Input::Committed { origin: id.0, incarnation: id.1, number });
        self.go_on();
    }

    /// The topology says what comes next.
    pub(crate) fn deliver_next(&mut self, next: Vec<Step>) {
        self.delivery.sequence.next.extend(next);
        self.go_on();
    }

    /// Hands over what has its turn.
    fn go_on(&mut self) {
        let mut moved = false;
        while let Some(step @ (origin, run, number)) = self.delivery.sequence.next.front().copied() {
            let turn = self.turn(step);
            let sequence = &mut self.delivery.sequence;
            if let Some(peer) = self.base.peers.find(&origin) {
                moved |= sequence.release((peer, run), number, &mut self.base.out);
            }
            match turn {
                Turn::Waits => break,
                Turn::Over => {}
                Turn::Passed => sequence.pass(step),
            }
            sequence.next.pop_front();
            moved = true;
        }
        if self.delivery.sequence.next.len() > MOST {
            self.give_order_up();
        }
        self.delivery.sequence.rest(moved, self.base.now);
    }

    /// How it stands with what comes next.
    fn turn(&self, (origin, run, number): Step) -> Turn {
        // A member's record comes before its parcels: who is unknown is forgotten, or was never heard of here.
        let Some(peer) = self.base.peers.find(&origin) else { return Turn::Passed };
        let id = (peer, run);
        match self.delivery.stream(id) {
            _ if peer == Peer::ME => Turn::Over,
            Some(s) if s.forked || s.top >= number => Turn::Over,
            Some(s) if s.started && s.search.hopeless.is_none() => Turn::Waits,
            None if self.delivery.is_superseded(id) => Turn::Over,
            _ if self.is_gone(id, number) => Turn::Passed,
            _ => Turn::Waits,
        }
    }

    /// True when somebody told to have dropped a parcel, and nobody to keep it.
    fn is_gone(&self, id: StreamId, number: u64) -> bool {
        let live = |p: Peer| p != Peer::ME && self.base.peers.get(p).is_live();
        let cells = || self.roster.iter().filter(|(p, _)| live(*p)).filter_map(|(_, m)| m.row.cells.get(&id));
        cells().any(|c| c.floor > number) && !cells().any(|c| c.floor <= number && number <= c.top)
    }

    /// True when so much waits for its turn that of this stream nothing can be taken: its turn has not come.
    pub(super) fn is_order_full(&self, id: StreamId) -> bool {
        let sequence = &self.delivery.sequence;
        let limit = self.base.config.limits.ahead.bytes().saturating_mul(AHEAD_TOTAL);
        let stream = (self.base.peers.id(id.0), id.1);
        sequence.bytes > limit && sequence.next.front().is_none_or(|step| (step.0, step.1) != stream)
    }

    /// Hands everything over that waits; what comes late is handed over as it comes.
    fn give_order_up(&mut self) {
        let sequence = &mut self.delivery.sequence;
        let held = core::mem::take(&mut sequence.held);
        self.base.out.extend(held.into_values().flatten().map(|(_, output)| output));
        sequence.bytes = 0;
        while let Some(step) = sequence.next.pop_front() {
            sequence.pass(step);
        }
        sequence.since = None;
    }

    /// Sees to what waits: nothing does when the topology holds nothing any more.
    pub(crate) fn check_order(&mut self) {
        let sequence = &self.delivery.sequence;
        let waits = !sequence.held.is_empty() || !sequence.next.is_empty();
        if self.topology.order() != Order::Held {
            if waits {
                self.give_order_up();
            }
            self.delivery.sequence.passed.clear();
        } else if sequence.next_deadline().is_some_and(|at| at <= self.base.now) {
            self.give_order_up();
        } else if waits {
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
        let origin = self.base.peers.id(origin);
        self.delivery.sequence.passed.retain(|stream, _| stream.0 != origin);
    }
}

/// How it stands with what comes next.
enum Turn {
    /// It is on its way.
    Waits,
    /// It is here, or will never come.
    Over,
    /// It is not here, and nobody is known to have it.
    Passed,
}
