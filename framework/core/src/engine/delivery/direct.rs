//! Messages for one member: sealed to its key, numbered by recipient, acknowledged by it, sent again until then.
//!
//! Relays keep nothing but a short memory of what they passed on, so that a loop in a topology ends; the sender keeps
//! what is not acknowledged. `before.1` of a direct parcel is the lowest number that the sender still keeps: a
//! recipient that lost its memory starts there.
//!
//! Numbers outlive what is known of a peer: a run never gives one number to a recipient twice, whether it is known or
//! not, and what a forgotten sender had delivered is not delivered again.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::super::Engine;
use super::super::api::{Delivered, Event, Output};
use super::super::roster::Forged;
use super::receive::Arrival;
use crate::id::{Digest, Incarnation, Peer, PeerId};
use crate::message::{self, Draft};
use crate::parcel::{Header, Parcel, Scope};
use crate::peers::State;
use crate::rng::mix;
use crate::time::{Instant, earliest};
use crate::topology::Novelty;

/// The first wait for an acknowledgement.
const RETRY: Duration = Duration::from_millis(500);
/// For how long a relay does not pass the same parcel on again: less than the first wait.
const REMEMBER: Duration = Duration::from_millis(300);
/// Parcels that a relay remembers at most.
const REMEMBERED: usize = 4096;
/// Bytes on their way to one recipient at most.
const WINDOW: usize = 1 << 20;
/// Forgotten senders whose numbers are kept at most.
const HEARD: usize = 4096;

/// A direct parcel that is not acknowledged.
#[derive(Clone, Debug)]
struct Unacked {
    parcel: Parcel,
    plain: Draft,
    at: Instant,
    /// Told as not delivered in time: what becomes of it later is not told again.
    told: bool,
}

/// The last numbers given to one recipient: of a parcel, and of a message.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    number: u64,
    seq: u64,
}

/// What goes to one recipient.
#[derive(Clone, Debug, Default)]
struct Outgoing {
    run: Incarnation,
    unacked: VecDeque<Unacked>,
    bytes: usize,
    retry: Option<Instant>,
    tries: u32,
}

/// What comes from one sender's run.
#[derive(Clone, Debug, Default)]
struct Incoming {
    run: Incarnation,
    top: u64,
    started: bool,
    ahead: BTreeMap<u64, (Parcel, Bytes)>,
    acks: u64,
}

/// State of direct messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Direct {
    /// By everybody that this node has written to: the application bounds it.
    given: BTreeMap<PeerId, Given>,
    /// How far forgotten senders were, oldest first.
    heard: VecDeque<(PeerId, Incarnation, u64)>,
    outgoing: BTreeMap<Peer, Outgoing>,
    incoming: BTreeMap<Peer, Incoming>,
    passed: BTreeMap<u64, Instant>,
    passed_order: VecDeque<(u64, Instant)>,
}

impl Direct {
    pub(crate) fn is_idle(&self) -> bool {
        self.outgoing.values().all(|o| o.unacked.is_empty())
    }

    /// Drops what is kept under a handle that will name another peer; the numbers stay.
    pub(crate) fn forget(&mut self, peer: Peer, id: PeerId) {
        self.outgoing.remove(&peer);
        if let Some(input) = self.incoming.remove(&peer).filter(|i| i.started) {
            if self.heard.len() == HEARD {
                self.heard.pop_front();
            }
            self.heard.push_back((id, input.run, input.top));
        }
    }

    /// What comes from a sender, with what is remembered of it.
    fn from(&mut self, peer: Peer, id: &PeerId) -> &mut Incoming {
        let heard = &mut self.heard;
        self.incoming.entry(peer).or_insert_with(|| {
            let at = heard.iter().position(|h| h.0 == *id);
            let (_, run, top) = at.and_then(|at| heard.remove(at)).unwrap_or_default();
            Incoming { run, top, started: at.is_some(), ..Incoming::default() }
        })
    }

    pub(crate) fn next_deadline(&self, delivered_after: Duration) -> Option<Instant> {
        let overdue = |o: &Outgoing| o.unacked.iter().find(|u| !u.told).map(|u| u.at + delivered_after);
        self.outgoing.values().filter_map(|o| earliest(o.retry, overdue(o))).min()
    }

    /// True the first time within a short while.
    fn first_pass(&mut self, key: u64, now: Instant) -> bool {
        while let Some(&(old, at)) = self.passed_order.front() {
            if at > now && self.passed_order.len() < REMEMBERED {
                break;
            }
            self.passed_order.pop_front();
            if self.passed.get(&old) == Some(&at) {
                self.passed.remove(&old);
            }
        }
        if self.passed.contains_key(&key) {
            return false;
        }
        let until = now + REMEMBER;
        self.passed.insert(key, until);
        self.passed_order.push_back((key, until));
        true
    }
}

/// What a sealed body is bound to.
fn context(h: &Header) -> Vec<u8> {
    let to = h.scope.to().unwrap_or_default();
    [
        b"tertulia direct".as_slice(),
        &h.origin.0,
        &to.0,
        &h.incarnation.0.to_le_bytes(),
        &h.number.to_le_bytes(),
    ]
    .concat()
}

impl Engine {
    /// True when another direct parcel to this member can be taken.
    #[must_use]
    pub fn can_send(&self, to: &PeerId) -> bool {
        let out = self.base.peers.find(to).and_then(|p| self.delivery.direct.outgoing.get(&p));
        out.is_none_or(|o| o.bytes < WINDOW)
    }

    /// Seals consecutive messages to one member and sends them on their way.
    pub(crate) fn publish_direct(&mut self, to: PeerId, draft: Draft) {
        let count = draft.count();
        let known = self.base.peers.find(&to).filter(|&p| p != Peer::ME);
        let live = known.filter(|&p| self.base.peers.get(p).is_live());
        let given = self.delivery.direct.given.entry(to).or_default();
        let (from_seq, to_seq) = (given.seq + 1, given.seq + u64::from(count));
        given.seq = to_seq;
        let Some(peer) = live else {
            let reason = if known.is_none() { "no such member" } else { "the recipient is gone" };
            self.base.event(Event::Undeliverable { to, from_seq, to_seq, reason });
            return;
        };
        given.number += 1;
        let number = given.number;
        let (now, run) = (self.base.now, self.base.peers.get(peer).incarnation);
        let out = self.delivery.direct.outgoing.entry(peer).or_default();
        out.run = run;
        let base = out.unacked.front().map_or(number, |u| u.parcel.header.number);
        let header = self.direct_header(to, (number, from_seq), count, base);
        let Some(parcel) = self.seal(peer, header, draft.body()) else {
            let reason = "the recipient's key cannot be used";
            self.base.event(Event::Undeliverable { to, from_seq, to_seq, reason });
            return;
        };
        if let Some(out) = self.delivery.direct.outgoing.get_mut(&peer) {
            out.bytes += parcel.bytes().len();
            out.retry = out.retry.or(Some(now + RETRY));
            out.unacked.push_back(Unacked { parcel: parcel.clone(), plain: draft, at: now, told: false });
        }
        self.pass_on(Peer::ME, &parcel, &Arrival { from: Peer::ME, hops: 0, pulled: false });
    }

    fn direct_header(&self, to: PeerId, (number, first_seq): (u64, u64), count: u32, base: u64) -> Header {
        Header {
            scope: Scope::Direct(to),
            epoch: self.base.epoch,
            origin: self.base.me(),
            incarnation: self.base.incarnation,
            number,
            first_seq,
            count,
            prev: Digest::default(),
            before: (Incarnation(0), base),
        }
    }

    fn seal(&self, peer: Peer, header: Header, body: &[u8]) -> Option<Parcel> {
        let key = self.base.peers.get(peer).seal_key;
        let sealed = self.base.auth.seal(&key, &context(&header), body)?;
        Some(Parcel::sign(header, Draft::sealed(header.count, &sealed), &*self.base.auth).0)
    }

    /// A parcel for one member arrived: it is this one's, or somebody's further on.
    pub(crate) fn on_direct_parcel(&mut self, parcel: Parcel, arrival: &Arrival) -> Result<(), Forged> {
        let h = parcel.header;
        let to = h.scope.to().unwrap_or_default();
        let Some(origin) = self.base.peers.find(&h.origin).filter(|&p| p != Peer::ME) else { return Ok(()) };
        if arrival.from != origin && parcel.verify(&*self.base.auth).is_none() {
            self.base.stats.refused += 1;
            return Err(Forged("forged parcel"));
        }
        if to != self.base.me() {
            let gone = |p: Peer| matches!(self.base.peers.get(p).state, State::Left);
            if !gone(origin) && !self.base.peers.find(&to).is_some_and(gone) {
                self.pass_on(origin, &parcel.compact(), arrival);
            }
            return Ok(());
        }
        match h.scope {
            Scope::Ack(_) if h.incarnation == self.base.incarnation => self.on_direct_ack(origin, h.number),
            Scope::Direct(_) => self.on_direct_for_me(origin, parcel)?,
            _ => {}
        }
        Ok(())
    }

    /// Hands a parcel for one member to the topology's next neighbours.
    fn pass_on(&mut self, origin: Peer, parcel: &Parcel, arrival: &Arrival) {
        let h = &parcel.header;
        let to = h.scope.to().unwrap_or_default();
        let word = |id: &PeerId| u64::from_le_bytes(*id.0.first_chunk().unwrap_or(&[0; 8]));
        let kind = u64::from(matches!(h.scope, Scope::Ack(_)));
        let numbers = mix(h.number ^ mix(h.incarnation.0 ^ mix(h.first_seq ^ kind)));
        let key = mix(word(&h.origin) ^ mix(word(&to) ^ numbers));
        let now = self.base.now;
        if arrival.from != Peer::ME && !self.delivery.direct.first_pass(key, now) {
            return;
        }
        self.route(parcel, origin, arrival, Novelty::New);
        // Nothing is announced that nobody keeps: whoever is named gets it.
        self.targets.iter_mut().for_each(|t| t.1 = true);
        if self.base.links.get(origin).is_some()
            && arrival.from == origin
            && parcel.verify(&*self.base.auth).is_none()
        {
            self.targets.clear();
        }
        self.send_to_targets(origin, parcel, arrival.hops);
    }

    fn on_direct_for_me(&mut self, origin: Peer, parcel: Parcel) -> Result<(), Forged> {
        let h = parcel.header;
        let input = self.delivery.direct.from(origin, &h.origin);
        if h.incarnation < input.run {
            return Ok(());
        }
        if h.incarnation > input.run {
            *input = Incoming { run: h.incarnation, ..Incoming::default() };
        }
        // What the sender does not keep any more has arrived, or was told to it as undeliverable.
        let base = h.before.1.min(h.number).saturating_sub(1);
        if !input.started || base > input.top {
            (input.started, input.top) = (true, base);
            input.ahead = input.ahead.split_off(&(base + 1));
        }
        if h.number > input.top && !input.ahead.contains_key(&h.number) {
            let limit = WINDOW * 2 + crate::parcel::BODY_TARGET;
            let held: usize = input.ahead.values().map(|(p, _)| p.bytes().len()).sum();
            if held < limit {
                let plain = self.base.auth.open(&context(&h), &parcel.body());
                let plain = plain.filter(|p| message::check(p, h.count).is_ok());
                let Some(plain) = plain else { return Err(Forged("direct parcel that does not open")) };
                let input = self.delivery.direct.from(origin, &h.origin);
                input.ahead.insert(h.number, (parcel, Bytes::from(plain)));
            }
        }
        self.deliver_direct(origin);
        self.acknowledge(origin);
        Ok(())
    }

    fn deliver_direct(&mut self, origin: Peer) {
        let nick = self.base.nick_of(origin);
        let Some(input) = self.delivery.direct.incoming.get_mut(&origin) else { return };
        while let Some((parcel, plain)) = input.ahead.remove(&(input.top + 1)) {
            input.top += 1;
            let mut delivered = Delivered::of(&parcel, nick.clone());
            (delivered.origin, delivered.direct, delivered.body) = (origin, true, plain);
            self.base.stats.delivered += u64::from(parcel.header.count);
            self.base.out.push(Output::Deliver(delivered));
        }
    }

    fn acknowledge(&mut self, origin: Peer) {
        let Some(input) = self.delivery.direct.incoming.get_mut(&origin) else { return };
        input.acks += 1;
        let header = Header {
            scope: Scope::Ack(self.base.peers.id(origin)),
            epoch: self.base.epoch,
            origin: self.base.peers.id(Peer::ME),
            incarnation: input.run,
            number: input.top,
            first_seq: input.acks,
            count: 0,
            prev: Digest::default(),
            before: (self.base.incarnation, 0),
        };
        let (parcel, _) = Parcel::sign(header, Draft::default(), &*self.base.auth);
        self.pass_on(Peer::ME, &parcel, &Arrival { from: Peer::ME, hops: 0, pulled: false });
    }

    fn on_direct_ack(&mut self, from: Peer, upto: u64) {
        let now = self.base.now;
        let to = self.base.peers.id(from);
        let Some(out) = self.delivery.direct.outgoing.get_mut(&from) else { return };
        let (mut came, mut seqs): (bool, Option<(u64, u64)>) = (false, None);
        while let Some(u) = out.unacked.pop_front_if(|u| u.parcel.header.number <= upto) {
            out.bytes -= u.parcel.bytes().len();
            came = true;
            if !u.told {
                let first = seqs.map_or(u.parcel.header.first_seq, |s| s.0);
                seqs = Some((first, u.parcel.end_seq() - 1));
            }
        }
        if !came {
            return;
        }
        out.tries = 0;
        out.retry = (!out.unacked.is_empty()).then_some(now + RETRY);
        if let Some((from_seq, to_seq)) = seqs {
            self.base.event(Event::Delivery { to: Some(to), from_seq, to_seq, reached: 1, of: 1 });
        }
    }

    /// Tells what was not acknowledged in time.
    fn report_overdue(&mut self, peer: Peer) {
        let (now, after) = (self.base.now, self.base.config.delivery.delivered_after.0);
        let to = Some(self.base.peers.id(peer));
        let Some(out) = self.delivery.direct.outgoing.get_mut(&peer) else { return };
        let overdue = out.unacked.iter_mut().filter(|u| !u.told && u.at + after <= now);
        let overdue = overdue.map(|u| {
            u.told = true;
            (u.parcel.header.first_seq, u.parcel.end_seq() - 1)
        });
        for (from_seq, to_seq) in overdue.collect::<Vec<_>>() {
            self.base.event(Event::Delivery { to, from_seq, to_seq, reached: 0, of: 1 });
        }
    }

    /// The recipient is gone, or has restarted and lost its memory.
    pub(crate) fn on_direct_member(&mut self, peer: Peer) {
        let e = self.base.peers.get(peer);
        let (state, run, to) = (e.state, e.incarnation, e.id);
        let Some(out) = self.delivery.direct.outgoing.get_mut(&peer) else { return };
        if out.unacked.is_empty() {
            return;
        }
        if matches!(state, State::Dead | State::Left) {
            let first = out.unacked.front().map_or(0, |u| u.parcel.header.first_seq);
            let last = out.unacked.back().map_or(0, |u| u.parcel.end_seq() - 1);
            out.unacked.clear();
            (out.bytes, out.retry, out.tries) = (0, None, 0);
            let reason =
                if state == State::Dead { "the recipient is dead" } else { "the recipient has left" };
            self.base.event(Event::Undeliverable { to, from_seq: first, to_seq: last, reason });
        } else if run != out.run {
            self.seal_again(peer, run);
        }
    }

    /// Signs what is not acknowledged anew, starting at the lowest number kept.
    fn seal_again(&mut self, peer: Peer, run: Incarnation) {
        let now = self.base.now;
        let Some(mut out) = self.delivery.direct.outgoing.remove(&peer) else { return };
        let base = out.unacked.front().map_or(0, |u| u.parcel.header.number);
        (out.run, out.retry, out.tries, out.bytes) = (run, Some(now), 0, 0);
        for u in &mut out.unacked {
            let h = Header { before: (Incarnation(0), base), ..u.parcel.header };
            if let Some(parcel) = self.seal(peer, h, u.plain.body()) {
                u.parcel = parcel;
            }
            out.bytes += u.parcel.bytes().len();
        }
        self.delivery.direct.outgoing.insert(peer, out);
    }

    /// Sends again what was not acknowledged in time.
    pub(crate) fn on_direct_deadline(&mut self) {
        let now = self.base.now;
        let all: Vec<Peer> = self.delivery.direct.outgoing.keys().copied().collect();
        all.into_iter().for_each(|peer| self.report_overdue(peer));
        let due = |o: &Outgoing| o.retry.is_some_and(|at| at <= now);
        let peers: Vec<Peer> =
            self.delivery.direct.outgoing.iter().filter(|(_, o)| due(o)).map(|(p, _)| *p).collect();
        let longest = self.base.config.delivery.retry_max.0;
        for peer in peers {
            let Some(out) = self.delivery.direct.outgoing.get_mut(&peer) else { continue };
            out.tries += 1;
            out.retry = (!out.unacked.is_empty())
                .then_some(now + (RETRY * (1 << out.tries.min(4))).min(longest.max(RETRY)));
            let again: Vec<Parcel> = out.unacked.iter().map(|u| u.parcel.clone()).collect();
            for parcel in again {
                self.base.stats.repairs += 1;
                self.pass_on(Peer::ME, &parcel, &Arrival { from: Peer::ME, hops: 0, pulled: false });
            }
        }
    }
}
