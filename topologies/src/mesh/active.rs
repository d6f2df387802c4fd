//! The active view: a few neighbours that have each other (HyParView, Leitão et al. 2007).
//!
//! Who is taken into a full view displaces somebody at random, who is told. Whoever holds another for a neighbour says
//! so every few seconds (`KEEP`), so that views that came to differ by a lost message agree again.

use core::time::Duration;
use std::collections::BTreeMap;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::State;
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::config::{Planted, Shape};
use super::messages::{Msg, Need};
use super::state::{Mesh, send};

/// How long a broken link may take to come back before the neighbour is replaced.
const GRACE: Duration = Duration::from_millis(500);
/// How often a neighbour is told that it is one.
const KEEP: Duration = Duration::from_secs(4);
/// How long after groups have met a member is taken for one of the others.
const MET: Duration = Duration::from_secs(30);

/// Neighbours that have this node for theirs, as far as known.
#[derive(Clone, Debug, Default)]
pub(super) struct Active {
    /// Without a link: until when it is waited for.
    peers: BTreeMap<Peer, Option<Instant>>,
    /// Members that came into sight while this node was one, and when.
    met: BTreeMap<Peer, Instant>,
    /// When to say `KEEP` again.
    keep: Option<Instant>,
}

impl Active {
    pub(super) fn contains(&self, peer: Peer) -> bool {
        self.peers.contains_key(&peer)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Peer> {
        self.peers.keys().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.keep
    }

    /// A link is up: it is not waited for any more.
    pub(super) fn link_up(&mut self, peer: Peer) {
        self.peers.entry(peer).and_modify(|until| *until = None);
    }

    /// When a neighbour whose link is waited for is to be replaced.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        self.peers.values().copied().flatten().min()
    }

    /// `KEEP` was said.
    pub(super) fn kept(&mut self, cx: &mut Ctx<'_>) {
        self.keep = (!self.peers.is_empty()).then(|| cx.now + cx.rng.jitter(KEEP, 0.3));
    }

    /// True when a member came into sight not long ago.
    pub(super) fn has_met(&self, peer: Peer, now: Instant) -> bool {
        self.met.get(&peer).is_some_and(|at| now.since(*at) < MET)
    }
}

impl Mesh {
    /// The most neighbours in an active view.
    pub(super) fn degree(&self) -> usize {
        if let Shape::Active(degree) = self.shape { degree } else { 0 }
    }

    /// False for whoever has left, though something that it said comes late; and while this node has no view.
    pub(super) fn may_be_neighbour(&self, cx: &Ctx<'_>, peer: Peer) -> bool {
        self.is_member() && self.degree() > 0 && cx.peers.get(peer).state != State::Left
    }

    /// Takes a neighbour in, instead of another one if the view is full.
    pub(super) fn take_in(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.seeking.forget(&cx.peers.id(peer));
        self.shuffles.passive.remove(&cx.peers.id(peer));
        if self.active.contains(peer) {
            return;
        }
        while self.active.len() >= self.degree() {
            let settled = |p: &Peer| !self.active.has_met(*p, cx.now);
            let mut out: Vec<Peer> = self.active.iter().filter(settled).collect();
            if out.is_empty() {
                out = self.active.iter().collect();
            }
            let Some(&out) = cx.rng.pick(&out) else { return };
            self.disown(cx, out);
            self.let_go(cx, out, true);
        }
        let until = (!self.linked.contains(&peer)).then_some(cx.now + GRACE);
        self.active.peers.insert(peer, until);
        until.into_iter().for_each(|at| self.look_at(at));
        self.active.keep.get_or_insert(cx.now + cx.rng.jitter(KEEP, 0.3));
        self.trees.link_up(peer);
        self.tend(cx, peer);
        let msg = self.keep(cx);
        send(cx, peer, &msg);
    }

    /// A neighbour is none any more; it may be one again later.
    pub(super) fn let_go(&mut self, cx: &mut Ctx<'_>, peer: Peer, remember: bool) {
        if self.active.peers.remove(&peer).is_none() {
            return;
        }
        self.trees.link_down(peer);
        if remember {
            self.remember(cx, peer);
        }
        self.seeking.encourage();
        self.tend(cx, peer);
    }

    /// A neighbour has this node for one no more.
    pub(super) fn on_disconnect(&mut self, cx: &mut Ctx<'_>, from: Peer, leaving: bool) {
        self.let_go(cx, from, !leaving);
        self.seek(cx);
    }

    /// Somebody has this node for a neighbour.
    pub(super) fn on_keep(&mut self, cx: &mut Ctx<'_>, from: Peer, lowest: PeerId, count: u64) {
        if !self.may_be_neighbour(cx, from) {
            return;
        }
        if self.active.contains(from) {
            self.on_beacon(cx, from, lowest, count);
        } else if self.active.len() < self.degree() {
            self.take_in(cx, from);
        } else if !self.seeking.asks(&cx.peers.id(from)) {
            self.disown(cx, from);
        }
    }

    /// Tells a member that it is no neighbour.
    fn disown(&self, cx: &mut Ctx<'_>, peer: Peer) {
        if self.planted != Some(Planted::OneSided) {
            send(cx, peer, &Msg::Disconnect { leaving: false });
        }
    }

    /// Tells neighbours that they are, when that is due.
    pub(super) fn keep_neighbours(&mut self, cx: &mut Ctx<'_>) {
        if self.active.keep.is_none_or(|at| at > cx.now) {
            return;
        }
        self.count(cx);
        self.say_keep(cx, None);
        self.look_for_beacon(cx);
        self.active.met.retain(|_, at| cx.now.since(*at) < MET);
    }

    /// The link to a neighbour is gone: it may come back within moments.
    pub(super) fn miss_neighbour(&mut self, cx: &Ctx<'_>, peer: Peer) {
        if let Some(until) = self.active.peers.get_mut(&peer) {
            let at = cx.now + GRACE;
            *until = Some(at);
            self.look_at(at);
        }
    }

    /// Neighbours without a link are replaced.
    pub(super) fn drop_unlinked(&mut self, cx: &mut Ctx<'_>) {
        let overdue = |until: &Option<Instant>| until.is_some_and(|at| at <= cx.now);
        let gone: Vec<Peer> =
            self.active.peers.iter().filter(|(_, until)| overdue(until)).map(|(p, _)| *p).collect();
        for peer in gone {
            self.let_go(cx, peer, self.live.contains(&peer));
        }
    }

    /// A member came into sight. When two groups meet, each member asks some of the others, chosen so that the new
    /// neighbours are as many as if all had always been one group. A newcomer, who has met nobody, does not mind.
    pub(super) fn on_sight(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.active.met.insert(peer, cx.now);
        self.seeking.pardon(&cx.peers.id(peer));
        let share = self.degree() as f64 / self.live.len().max(1) as f64;
        // Whose link is up speaks for itself: where only neighbours are known, that is how they come into sight.
        let of_others = !self.active.contains(peer) && !self.linked.contains(&peer);
        if of_others && cx.rng.chance(share) {
            self.meet(cx, peer);
        }
        if self.active.len() == 0 {
            self.ask_neighbour(cx, peer, Need::High);
        }
    }

    /// Nothing of a peer stays.
    pub(super) fn forget_neighbour(&mut self, peer: Peer) {
        self.active.peers.remove(&peer);
        self.active.met.remove(&peer);
    }
}
