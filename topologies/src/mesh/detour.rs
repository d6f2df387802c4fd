//! Where everybody is linked to everybody, and two are not: who misses whom.
//!
//! A parcel goes from its origin straight to all others, and nobody passes it on. Whoever has had no link to a live
//! member for a while says so to all neighbours (`MISSING`), again every few seconds for as long as it lasts; then the
//! first few of those linked to both announce each one's parcels to the other, which pulls them. What is lost in the
//! meantime, the engine's roster tells of: delivery pulls what others are known to have.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::time::Instant;
use tertulia_core::topology::{Ctx, Routed};

use super::config::Shape;
use super::messages::{MISSING_MAX, Msg};
use super::state::{Mesh, send};

/// How long a link may take before it is said to be missing.
const GRACE: Duration = Duration::from_millis(500);
/// How often that is said again, and how long it is believed.
const AGAIN: Duration = Duration::from_secs(4);
const BELIEVED: Duration = Duration::from_secs(10);
/// Members that announce between two that miss each other.
const RELAYS: usize = 3;

/// Who misses whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Detours {
    /// Live members without a link, and when that is told.
    missed: BTreeMap<Peer, Instant>,
    /// What neighbours said, and until when it is believed.
    said: BTreeMap<Peer, (BTreeSet<PeerId>, Instant)>,
    /// When to say it again; `None` while nothing is missing.
    again: Option<Instant>,
}

impl Detours {
    /// When something is to be said.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.again
    }

    /// A member is gone: nobody misses it, and it misses nobody.
    pub(super) fn gone(&mut self, peer: Peer) {
        self.missed.remove(&peer);
        self.said.remove(&peer);
    }

    fn misses(&self, who: Peer, whom: &PeerId, now: Instant) -> bool {
        self.said.get(&who).is_some_and(|(ids, until)| *until > now && ids.contains(whom))
    }
}

impl Mesh {
    /// A link to a live member should come up soon.
    pub(super) fn expect_link(&mut self, cx: &Ctx<'_>, peer: Peer) {
        if !self.linked.contains(&peer) {
            let at = *self.detours.missed.entry(peer).or_insert(cx.now + GRACE);
            self.detours.again = tertulia_core::time::earliest(self.detours.again, Some(at));
        }
    }

    /// A link is up: it is not missed any more, and what is missed is said to whoever is new.
    pub(super) fn greet(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        if self.shape != Shape::Full {
            return;
        }
        let told = |at: &Instant| *at <= cx.now;
        if self.detours.missed.remove(&peer).is_some_and(|at| told(&at)) {
            self.tell_missing(cx);
        } else if self.detours.missed.values().any(told) {
            let msg = self.missing(cx);
            send(cx, peer, &msg);
        }
    }

    fn missing(&self, cx: &Ctx<'_>) -> Msg {
        let due = self.detours.missed.iter().filter(|(_, at)| **at <= cx.now);
        Msg::Missing(due.map(|(peer, _)| cx.peers.id(*peer)).take(MISSING_MAX).collect())
    }

    fn tell_missing(&self, cx: &mut Ctx<'_>) {
        let msg = self.missing(cx);
        for peer in self.near() {
            send(cx, peer, &msg);
        }
    }

    /// Says what is missing when that is due.
    pub(super) fn say_missing(&mut self, cx: &mut Ctx<'_>) {
        if self.detours.again.is_none_or(|at| at > cx.now) {
            return;
        }
        let late = self.detours.missed.values().any(|at| *at <= cx.now);
        if late {
            self.tell_missing(cx);
        }
        let soon = self.detours.missed.values().copied().filter(|at| *at > cx.now).min();
        self.detours.again = tertulia_core::time::earliest(soon, late.then_some(cx.now + AGAIN));
    }

    /// A neighbour says whom it misses.
    pub(super) fn on_missing(&mut self, cx: &Ctx<'_>, from: Peer, ids: Vec<PeerId>) {
        if ids.is_empty() {
            self.detours.said.remove(&from);
        } else if self.live.contains(&from) {
            self.detours.said.insert(from, (ids.into_iter().collect(), cx.now + BELIEVED));
        }
    }

    /// Announces a parcel to those that have no link to its origin, if this node is one of the first to do so.
    pub(super) fn announce_around(&self, cx: &mut Ctx<'_>, parcel: Routed) {
        let (now, origin) = (cx.now, cx.peers.id(parcel.origin));
        let apart = |who: Peer, id: &PeerId| {
            self.detours.misses(who, &origin, now) || self.detours.misses(parcel.origin, id, now)
        };
        if self.detours.said.is_empty() {
            return;
        }
        let me = cx.me();
        for peer in self.near() {
            let id = cx.peers.id(peer);
            if peer == parcel.origin || !apart(peer, &id) {
                continue;
            }
            let between = |p: Peer| {
                p != peer
                    && p != parcel.origin
                    && !self.detours.misses(p, &origin, now)
                    && !self.detours.misses(p, &id, now)
            };
            let before = self.near().filter(|&p| cx.peers.id(p) < me && between(p)).count();
            if before < RELAYS {
                cx.out.lazy(peer);
            }
        }
    }
}
