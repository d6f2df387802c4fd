//! Neighbours picked at random.
//!
//! The picks of a member are a uniform sample of the other live members at any time: whoever goes is replaced by one
//! of those not picked, and whoever comes takes the place of a pick with the probability that it would have been
//! picked in the first place (reservoir sampling). So members that came early get no more links than others, and when
//! two groups meet, about half of all picks soon lead across.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use tertulia_core::id::Peer;
use tertulia_core::rng::NodeRng;
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::config::Shape;
use super::state::Mesh;

/// A pick that could not be linked to for this long is replaced, if there is anybody else.
const PATIENCE: Duration = Duration::from_secs(3);

/// Neighbours of one's own choice.
#[derive(Clone, Debug, Default)]
pub(super) struct Picks(BTreeMap<Peer, Option<Instant>>);

impl Picks {
    pub(super) fn contains(&self, peer: Peer) -> bool {
        self.0.contains_key(&peer)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Peer> {
        self.0.keys().copied()
    }

    /// Picks until there are `degree` of them, or nobody is left; who was added.
    pub(super) fn fill(
        &mut self,
        rng: &mut NodeRng,
        live: &BTreeSet<Peer>,
        degree: usize,
        until: Instant,
    ) -> Vec<Peer> {
        if self.0.len() >= degree {
            return Vec::new();
        }
        let mut others: Vec<Peer> = live.iter().copied().filter(|peer| !self.contains(*peer)).collect();
        let missing = others.len().min(degree - self.0.len());
        for at in 0..missing {
            let pick = at + rng.below(others.len() - at);
            others.swap(at, pick);
        }
        others.truncate(missing);
        self.0.extend(others.iter().map(|&peer| (peer, Some(until))));
        others
    }

    /// Somebody came, the last of `live`: it is picked as often as anybody else. The pick that it displaces, or
    /// itself.
    pub(super) fn arrive(
        &mut self,
        rng: &mut NodeRng,
        peer: Peer,
        live: usize,
        degree: usize,
        until: Instant,
    ) -> Option<Peer> {
        if self.contains(peer) {
            return None;
        }
        let mut out = None;
        if self.0.len() >= degree {
            let at = rng.below(live.max(1));
            let Some(displaced) = self.0.keys().nth(at).copied() else { return Some(peer) };
            self.0.remove(&displaced);
            out = Some(displaced);
        }
        self.0.insert(peer, Some(until));
        out
    }

    pub(super) fn remove(&mut self, peer: Peer) -> bool {
        self.0.remove(&peer).is_some()
    }

    /// A link is up: it is not waited for any more.
    pub(super) fn link_up(&mut self, peer: Peer) {
        self.0.entry(peer).and_modify(|until| *until = None);
    }

    /// When a pick whose link is waited for is to be replaced.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        self.0.values().copied().flatten().min()
    }

    /// A pick whose link was waited for in vain.
    fn overdue(&self, now: Instant) -> Option<Peer> {
        self.0.iter().find(|(_, until)| until.is_some_and(|at| at <= now)).map(|(peer, _)| *peer)
    }
}

impl Mesh {
    /// Picks as many as are missing.
    pub(super) fn refill(&mut self, cx: &mut Ctx<'_>) {
        let Shape::Pick(degree) = self.shape else { return };
        let until = cx.now + PATIENCE;
        for peer in self.picks.fill(cx.rng, &self.live, degree, until) {
            self.picked(cx, peer, until);
        }
    }

    fn picked(&mut self, cx: &mut Ctx<'_>, peer: Peer, until: Instant) {
        if self.linked.contains(&peer) {
            self.picks.link_up(peer);
        } else {
            self.look_at(until);
        }
        self.tend(cx, peer);
    }

    /// Another live member came.
    pub(super) fn on_arrival(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        let Shape::Pick(degree) = self.shape else { return };
        let until = cx.now + PATIENCE;
        let displaced = self.picks.arrive(cx.rng, peer, self.live.len(), degree, until);
        if self.picks.contains(peer) {
            self.picked(cx, peer, until);
        }
        displaced.into_iter().for_each(|peer| self.tend(cx, peer));
    }

    /// The link to a pick is gone: it is waited for, for a while.
    pub(super) fn miss_pick(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        if self.picks.contains(peer) {
            let until = cx.now + PATIENCE;
            self.picks.0.insert(peer, Some(until));
            self.look_at(until);
        }
    }

    /// Picks that cannot be linked to make room for others.
    pub(super) fn replace_unreachable(&mut self, cx: &mut Ctx<'_>) {
        let Shape::Pick(degree) = self.shape else { return };
        while let Some(peer) = self.picks.overdue(cx.now) {
            let until = cx.now + PATIENCE;
            self.picks.remove(peer);
            let mut others = self.live.clone();
            others.remove(&peer);
            let added = self.picks.fill(cx.rng, &others, degree, until);
            if added.is_empty() {
                // There is nobody else: it is waited for further.
                self.picks.0.insert(peer, Some(until));
                self.look_at(until);
            }
            added.into_iter().for_each(|other| self.picked(cx, other, until));
            self.tend(cx, peer);
        }
    }
}
