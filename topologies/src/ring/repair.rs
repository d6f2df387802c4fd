//! Keeping the ring whole: the successor list, the links that it needs, and the comparing of views.
//!
//! The list is never patched by messages. It is computed anew from the roster at every change, so an entry counts
//! only while its member is believed live, any number of adjacent deaths closes at once, and two rings whose rosters
//! merge are one ring at the next computation. Messages only make members known sooner.

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::{Entry, State};
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::courier;
use super::messages::{Around, Code, Letter, Msg, Place, Side};
use super::order;
use super::state::{LINGER, PATIENCE, Phase, Ring, Want};
use crate::place::place;

impl Ring {
    /// Computes the successor list and brings the wanted links in line with it.
    pub(super) fn settle(&mut self, cx: &mut Ctx<'_>) {
        self.routes.stale();
        if !self.is_member() {
            return;
        }
        self.forget_stale(cx);
        self.successors = self.planted_successors(cx.peers).unwrap_or_else(|| self.live_successors(cx));
        if !matches!(self.phase, Phase::Member) {
            return; // On the way out no links are made or let go.
        }
        self.ease(cx);
        let needed = self.needed(cx);
        for &peer in &needed {
            self.want(cx, peer);
        }
        self.release_others(cx, &needed);
        let nearest = (self.next_linked(cx.peers), self.previous_linked(cx.peers));
        if nearest != self.greeted && nearest != (None, None) {
            self.tick = self.tick.map(|at| at.min(cx.now + self.tuning.retry));
        }
        if nearest == (None, None) {
            self.greeted = nearest;
        }
    }

    /// The next live members, until as many as configured are alive and can be linked to. Suspects, and members
    /// that cannot be reached, stay in the list and do not count; twice as many and two at most.
    fn live_successors(&self, cx: &Ctx<'_>) -> Vec<Peer> {
        let r = self.tuning.successors;
        let counts = |peer: Peer, entry: &Entry| {
            let waiting = self.wanted.get(&peer).map_or(cx.now, |want| want.since);
            entry.state == State::Alive && (entry.linked || cx.now.since(waiting) < PATIENCE)
        };
        order::successors(cx.peers, &self.quitting, r, 2 * r + 2, counts)
    }

    /// Drops hints that the roster has decided, and what has expired.
    fn forget_stale(&mut self, cx: &Ctx<'_>) {
        let (peers, now) = (cx.peers, cx.now);
        let state = |id: &PeerId| peers.find(id).map_or(State::Unknown, |peer| peers.get(peer).state);
        self.hints.retain(|id, until| *until > now && state(id) == State::Unknown);
        self.quitting.retain(|id, until| *until > now && state(id).is_live());
        let first = self.hints.values().chain(self.quitting.values()).min().copied();
        if let Some(at) = first {
            self.look_at(at);
        }
    }

    /// Lets go of what helped until the ring carried.
    fn ease(&mut self, cx: &Ctx<'_>) {
        let first_linked = self.successors.first().is_some_and(|p| self.linked.contains(p));
        let gone = |peer: Peer| matches!(cx.peers.get(peer).state, State::Dead | State::Left);
        self.anchor = self.anchor.filter(|&peer| !first_linked && !gone(peer));
        let nearest = order::predecessors(cx.peers, &self.quitting, 1).first().copied();
        self.helped = self.helped.filter(|&p| Some(p) == nearest && !self.linked.contains(&p));
    }

    /// Everybody to whom a link is needed.
    fn needed(&self, cx: &Ctx<'_>) -> Vec<Peer> {
        let hinted = self.hints.keys().filter_map(|id| cx.peers.find(id));
        let mut needed: Vec<Peer> = self.successors.clone();
        needed.extend(hinted.chain(self.anchor).chain(self.helped).filter(|&p| p != Peer::ME));
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    pub(super) fn want(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        let now = cx.now;
        let want = self.wanted.entry(peer).or_insert_with(|| {
            cx.out.want(peer);
            Want { since: now, until: None }
        });
        want.until = None;
        if !self.linked.contains(&peer) && want.since + PATIENCE > now {
            let at = want.since + PATIENCE;
            self.look_at(at);
        }
    }

    /// Lets go of links no longer needed: of the dead at once, of the living after a while and only when the first
    /// successor is linked, so that the old way carries until the new one does.
    fn release_others(&mut self, cx: &mut Ctx<'_>, needed: &[Peer]) {
        let now = cx.now;
        let carried = self.successors.first().is_none_or(|p| self.linked.contains(p));
        let mut next: Option<Instant> = None;
        let linked = &self.linked;
        self.wanted.retain(|&peer, want| {
            if needed.binary_search(&peer).is_ok() {
                return true;
            }
            let until = *want.until.get_or_insert(now + LINGER);
            let useful = linked.contains(&peer) && cx.peers.get(peer).is_live();
            if useful && (until > now || !carried) {
                let at = if until > now { until } else { now + LINGER };
                next = Some(next.map_or(at, |n| n.min(at)));
                return true;
            }
            cx.out.release(peer);
            false
        });
        if let Some(at) = next {
            self.look_at(at);
        }
    }

    /// Compares views: with the first successor always, with the predecessor after a change.
    pub(super) fn stabilise(&mut self, cx: &mut Ctx<'_>) {
        self.tick = Some(cx.now + cx.rng.jitter(self.tuning.stabilise, 0.2));
        let nearest = (self.next_linked(cx.peers), self.previous_linked(cx.peers));
        let changed = nearest != self.greeted;
        self.greeted = nearest;
        let me = place(cx.peers, Peer::ME);
        let partner = self.planted_partner(cx.peers).unwrap_or(nearest.0);
        if let Some(next) = partner {
            self.greet(cx, next, Side::Predecessor, me.clone());
        }
        if let Some(previous) = nearest.1.filter(|_| changed && self.tuning.planted.is_none()) {
            self.greet(cx, previous, Side::Successor, me);
        }
        // A predecessor that has not linked by now gets a hand from this side.
        let before = order::predecessors(cx.peers, &self.quitting, 1).first().copied();
        let may_help = self.tuning.planted.is_none();
        self.helped = before.filter(|p| may_help && !self.linked.contains(p));
        self.settle(cx);
    }

    /// Tells a neighbour who stands on one of its sides.
    pub(super) fn greet(&mut self, cx: &mut Ctx<'_>, to: Peer, side: Side, place: Place) {
        let letter = Letter { nonce: cx.rng.next_u64(), msg: Msg::ChangePrec { side, place } };
        self.courier.post(cx, to, &letter);
    }

    /// A `CHANGE_PREC` arrived: somebody stands on one of our sides. Answered with our own view.
    pub(super) fn on_change_prec(
        &mut self,
        cx: &mut Ctx<'_>,
        from: Peer,
        nonce: u64,
        side: Side,
        named: &Place,
    ) {
        let around = self.around_me(cx.peers);
        let ack = Letter { nonce, msg: Msg::Ack { of: Code::ChangePrec, around } };
        courier::send(cx, from, &ack);
        if !self.courier.is_new(Code::ChangePrec, nonce) {
            return;
        }
        if side == Side::Predecessor {
            self.notify_planted(cx, named.id);
        }
        self.hear_of(cx, named);
        self.settle(cx);
    }

    /// A neighbour answered with its view: whoever in it is new to us is looked for, if it stands near us.
    pub(super) fn on_view(&mut self, cx: &mut Ctx<'_>, from: Peer, around: &Around) {
        if self.adopt_planted(cx, from, around) {
            return;
        }
        for named in around.predecessor.iter().chain(&around.successors) {
            if self.stands_near(cx, named.id) {
                self.hear_of(cx, named);
            }
        }
        self.settle(cx);
    }

    /// True when `id` would be among the successors, or the predecessor.
    fn stands_near(&self, cx: &Ctx<'_>, id: PeerId) -> bool {
        let me = cx.me();
        let before = order::predecessors(cx.peers, &self.quitting, 1).first().map_or(me, |&p| cx.peers.id(p));
        let last = self.successors.last().map_or(me, |&p| cx.peers.id(p));
        let short = self.successors.len() < self.tuning.successors;
        short || order::between(me, id, last) || order::between(before, id, me)
    }
}
