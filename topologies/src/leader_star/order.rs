//! One order within a ballot, in a star: the leader's.
//!
//! The leader numbers every parcel in the order in which it took it, and tells its followers; these hand messages to their
//! applications in that order and no other. Who begins to follow asks where the order stands, and gets how far the leader is
//! with every stream; so does who fell too far behind. With each heartbeat the leader says how far the order has come,
//! and who misses something asks for it.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use tertulia_core::ballot::Ballot;
use tertulia_core::id::{Incarnation, Peer, PeerId};
use tertulia_core::time::Instant;
use tertulia_core::topology::{Ctx, Order, RUNS_MAX};

use super::config::Routing;
use super::messages::{Msg, Step};
use super::state::{Phase, Star, send};

/// Steps in one message at most.
pub(super) const STEPS_MAX: usize = 2048;
/// Steps that a leader remembers at most.
const LOG_MAX: usize = 16_384;
/// The pause between two questions for the order.
const ASK: Duration = Duration::from_millis(100);
/// Streams that are followed at most.
const STREAMS_MAX: usize = STEPS_MAX;

/// What a member knows of the order.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequence {
    /// How far every stream is here.
    tops: BTreeMap<(PeerId, Incarnation), u64>,
    /// Under which ballot the rest holds.
    ballot: Ballot,
    /// As a leader: the steps, the number of the first of them, and of the first not told yet.
    log: VecDeque<Step>,
    first: u64,
    untold: u64,
    /// As a leader: when to say how far the order is.
    tail: Option<Instant>,
    /// As a follower: the number of the next step; zero before the leader has said where it stands.
    next: u64,
    /// When it was last asked for.
    asked: Option<Instant>,
}

impl Sequence {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.tail
    }

    /// A stream has come to this number; of an origin the last runs count, as elsewhere.
    pub(super) fn note(&mut self, origin: PeerId, run: Incarnation, number: u64) {
        if self.tops.len() >= STREAMS_MAX && !self.tops.contains_key(&(origin, run)) {
            return;
        }
        self.tops.insert((origin, run), number);
        let runs = || (origin, Incarnation(0))..=(origin, Incarnation(u64::MAX));
        while self.tops.range(runs()).count() > RUNS_MAX
            && let Some(oldest) = self.tops.range(runs()).next().map(|(stream, _)| *stream)
        {
            self.tops.remove(&oldest);
        }
    }

    /// An origin is forgotten.
    pub(super) fn forget(&mut self, origin: PeerId) {
        self.tops.retain(|stream, _| stream.0 != origin);
    }

    /// How far every stream is.
    pub(super) fn base(&self) -> Vec<Step> {
        self.tops.iter().map(|((origin, run), top)| (*origin, *run, *top)).collect()
    }

    fn end(&self) -> u64 {
        self.first + self.log.len() as u64
    }
}

impl Star {
    /// How deliveries are ordered now.
    pub(super) fn ordering(&self) -> Order {
        match (self.routing, &self.phase) {
            (Routing::Direct, _) => Order::Free,
            (Routing::Leader, Phase::Member) if self.has_way && !self.leads() => Order::Held,
            _ => Order::Told,
        }
    }

    /// A parcel was taken here: a leader puts it next.
    pub(super) fn on_committed(&mut self, cx: &mut Ctx<'_>, origin: Peer, run: Incarnation, number: u64) {
        let origin = cx.peers.id(origin);
        self.sequence.note(origin, run, number);
        if !self.leads() {
            return;
        }
        self.take_the_chair(cx);
        let sequence = &mut self.sequence;
        sequence.log.push_back((origin, run, number));
        if sequence.log.len() > LOG_MAX {
            sequence.log.pop_front();
            sequence.first += 1;
        }
        // Told at the end of this turn, with what else it brings.
        sequence.tail = Some(cx.now);
    }

    /// The ballot changed: a leader begins a new order, a follower asks for it.
    pub(super) fn follow_order(&mut self, cx: &mut Ctx<'_>) {
        if self.routing == Routing::Direct {
            return;
        }
        let member = matches!(self.phase, Phase::Member);
        if self.leads() {
            self.take_the_chair(cx);
        } else if let (true, Some(leader), Some(ballot)) = (member, self.linked_leader(cx), self.ballot()) {
            self.sequence.tail = None;
            if self.sequence.ballot != ballot {
                (self.sequence.ballot, self.sequence.next, self.sequence.asked) = (ballot, 0, None);
                self.ask_for_order(cx, leader);
            }
        } else {
            // What waited was handed over: whoever leads next, the order is asked for anew.
            (self.sequence.ballot, self.sequence.next, self.sequence.tail) = (Ballot::default(), 0, None);
        }
    }

    fn ballot(&self) -> Option<Ballot> {
        self.election.as_ref().map(crate::election::Election::ballot)
    }

    fn take_the_chair(&mut self, cx: &Ctx<'_>) {
        let Some(ballot) = self.ballot() else { return };
        let sequence = &mut self.sequence;
        if sequence.ballot != ballot {
            sequence.ballot = ballot;
            sequence.log.clear();
            (sequence.first, sequence.untold) = (1, 1);
            sequence.tail = Some(cx.now);
        }
    }

    /// A leader tells what is new, and how far the order is.
    pub(super) fn tell_order(&mut self, cx: &mut Ctx<'_>) {
        if self.sequence.tail.is_none_or(|at| at > cx.now) {
            return;
        }
        if !self.leads() {
            self.sequence.tail = None;
            return;
        }
        let sequence = &mut self.sequence;
        let from = sequence.untold.max(sequence.first);
        let skip = usize::try_from(from - sequence.first).unwrap_or(usize::MAX);
        let steps: Vec<Step> = sequence.log.iter().skip(skip).take(STEPS_MAX).copied().collect();
        sequence.untold = from + steps.len() as u64;
        sequence.tail =
            Some(if sequence.untold < sequence.end() { cx.now } else { cx.now + self.settings.heartbeat });
        let body = Msg::Order { ballot: sequence.ballot, first: from, steps }.encode();
        for &peer in self.linked.iter().filter(|p| cx.peers.get(**p).is_live()) {
            cx.out.send(peer, body.clone());
        }
    }

    fn ask_for_order(&mut self, cx: &mut Ctx<'_>, leader: Peer) {
        let Sequence { ballot, next, asked, .. } = self.sequence;
        if asked.is_some_and(|at| cx.now.since(at) < ASK) {
            return;
        }
        self.sequence.asked = Some(cx.now);
        send(cx, leader, &Msg::OrderAsk { ballot, next });
    }

    /// A follower misses steps: they are told again, or where the order stands.
    pub(super) fn on_order_ask(&mut self, cx: &mut Ctx<'_>, from: Peer, ballot: Ballot, next: u64) {
        if !self.leads() || self.ballot() != Some(ballot) {
            return;
        }
        self.take_the_chair(cx);
        let sequence = &self.sequence;
        let msg = if next >= sequence.first && next > 0 {
            let skip = usize::try_from(next - sequence.first).unwrap_or(usize::MAX);
            let steps = sequence.log.iter().skip(skip).take(STEPS_MAX).copied().collect();
            Msg::Order { ballot, first: next, steps }
        } else {
            Msg::OrderBase { ballot, next: sequence.end(), steps: sequence.base() }
        };
        send(cx, from, &msg);
    }

    /// The leader says where the order stands.
    pub(super) fn on_order_base(
        &mut self,
        cx: &mut Ctx<'_>,
        from: Peer,
        ballot: Ballot,
        next: u64,
        steps: Vec<Step>,
    ) {
        if self.orders_me(cx, from, ballot) && next > self.sequence.next {
            self.sequence.next = next;
            cx.out.deliver(steps);
        }
    }

    /// The leader says what comes next.
    pub(super) fn on_order(
        &mut self,
        cx: &mut Ctx<'_>,
        from: Peer,
        ballot: Ballot,
        first: u64,
        mut steps: Vec<Step>,
    ) {
        if !self.orders_me(cx, from, ballot) {
            return;
        }
        let next = self.sequence.next;
        if next == 0 || first > next {
            self.ask_for_order(cx, from);
            return;
        }
        let known = usize::try_from(next - first).unwrap_or(usize::MAX);
        if known < steps.len() {
            steps.drain(..known);
            self.sequence.next += steps.len() as u64;
            cx.out.deliver(steps);
        }
    }

    /// True when this node follows `from` under this ballot.
    fn orders_me(&mut self, cx: &mut Ctx<'_>, from: Peer, ballot: Ballot) -> bool {
        self.follow_order(cx);
        self.ordering() == Order::Held
            && self.linked_leader(cx) == Some(from)
            && self.sequence.ballot == ballot
    }
}
