//! Where parcels go: both ways round.
//!
//! A group parcel leaves its origin in both directions and the two copies meet on the far side. A neighbour that is
//! suspected still gets it, and so does the next linked member behind it. Other linked members get an announcement,
//! so that whatever the two ways miss is pulled over a redundant link.
//!
//! A direct parcel goes straight to a linked recipient; otherwise it leaves its origin both ways and each relay
//! sends it on, away from where it came. It ends at the recipient, where it would pass its origin again, when it has
//! crossed more links than there are members, or when the recipient is known to be gone.

use std::collections::BTreeSet;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::{PeerTable, State};
use tertulia_core::topology::{Ctx, Novelty, Routed};

use super::messages::STANDARD;
use super::order::{self, Quitting};
use super::state::{Phase, Ring};

/// Links that a direct parcel may cross beyond the number of members.
const SLACK: usize = 8;

/// Linked members by direction, in memory that is used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    fresh: bool,
    ring: Vec<(bool, PeerId, Peer)>,
    clockwise: Vec<Peer>,
    counter: Vec<Peer>,
    lazy: Vec<Peer>,
    members: usize,
}

impl Routes {
    /// Something changed: compute anew on next use.
    pub(super) fn stale(&mut self) {
        self.fresh = false;
    }

    fn refresh(&mut self, peers: &PeerTable, linked: &BTreeSet<Peer>, quitting: &Quitting) {
        if self.fresh {
            return;
        }
        self.fresh = true;
        let me = peers.id(Peer::ME);
        self.members = peers.live().count();
        self.ring.clear();
        self.ring.extend(linked.iter().filter(|&&p| peers.get(p).is_live()).map(|&peer| {
            let (wrapped, id) = order::clockwise_key(me, peers.id(peer));
            (wrapped, id, peer)
        }));
        self.ring.sort_unstable();
        let is_solid = |peer: Peer| {
            let entry = peers.get(peer);
            entry.state == State::Alive && !quitting.contains_key(&entry.id)
        };
        until_solid(&mut self.clockwise, self.ring.iter().map(|e| e.2), is_solid);
        until_solid(&mut self.counter, self.ring.iter().rev().map(|e| e.2), is_solid);
        self.lazy.clear();
        let others = self.ring.iter().map(|e| e.2);
        self.lazy.extend(others.filter(|p| !self.clockwise.contains(p) && !self.counter.contains(p)));
    }

    /// The directions that lead away from `from`: (clockwise, counterclockwise).
    fn away_from(&self, from: Option<Peer>) -> (bool, bool) {
        let at = from.and_then(|from| self.ring.iter().position(|e| e.2 == from));
        at.map_or((true, true), |at| {
            let back = self.ring.len() - 1 - at;
            (at >= back, at <= back)
        })
    }
}

/// The nearest linked member in a direction; past suspects and leavers, up to one that is neither.
fn until_solid(into: &mut Vec<Peer>, way: impl Iterator<Item = Peer>, is_solid: impl Fn(Peer) -> bool) {
    into.clear();
    for peer in way {
        into.push(peer);
        if is_solid(peer) {
            break;
        }
    }
}

impl Ring {
    /// A parcel wants to travel on.
    pub(super) fn route(&mut self, cx: &mut Ctx<'_>, parcel: Routed, from: Option<Peer>, novelty: Novelty) {
        if let Some(from) = from {
            cx.out.trace(STANDARD, from, false);
        }
        let passes = matches!(self.phase, Phase::Member | Phase::Leaving(_) | Phase::Gone);
        if novelty == Novelty::Duplicate || !passes {
            return;
        }
        self.routes.refresh(cx.peers, &self.linked, &self.quitting);
        match parcel.to {
            Some(to) => self.route_direct(cx, parcel, to, from),
            None => self.route_group(cx, parcel.origin, from),
        }
    }

    fn route_group(&self, cx: &mut Ctx<'_>, origin: Peer, from: Option<Peer>) {
        let wants = |peer: Peer| Some(peer) != from && peer != origin;
        let routes = &self.routes;
        let back = routes.counter.iter().filter(|p| !routes.clockwise.contains(p));
        for &peer in routes.clockwise.iter().chain(back).filter(|&&p| wants(p)) {
            cx.out.trace(STANDARD, peer, true);
            cx.out.eager(peer);
        }
        for &peer in routes.lazy.iter().filter(|&&p| wants(p)) {
            cx.out.lazy(peer);
        }
    }

    fn route_direct(&self, cx: &mut Ctx<'_>, parcel: Routed, to: PeerId, from: Option<Peer>) {
        let me = cx.me();
        let recipient = cx.peers.find(&to);
        if to == me {
            return;
        }
        if let Some(peer) = recipient.filter(|p| self.linked.contains(p)) {
            cx.out.trace(STANDARD, peer, true);
            cx.out.eager(peer);
            return;
        }
        let gone = recipient.is_some_and(|p| matches!(cx.peers.get(p).state, State::Dead | State::Left));
        let routes = &self.routes;
        let bound = routes.members + SLACK;
        // The count saturates: for rings larger than it can tell, the origin and the seen-set are the limits.
        if gone || (usize::from(parcel.hops) >= bound && bound < usize::from(u8::MAX)) {
            return;
        }
        let origin = cx.peers.id(parcel.origin);
        let (forward, backward) = routes.away_from(from);
        let ahead = routes.clockwise.iter().filter(|_| forward).map(|&p| (p, true));
        let behind = routes.counter.iter().filter(|_| backward).map(|&p| (p, false));
        for (peer, is_forward) in ahead.chain(behind) {
            let id = cx.peers.id(peer);
            let (near, far) = if is_forward { (me, id) } else { (id, me) };
            let past_origin = from.is_some() && (id == origin || order::between(near, origin, far));
            let twice = !is_forward && forward && routes.clockwise.contains(&peer);
            if Some(peer) != from && !past_origin && !twice {
                cx.out.trace(STANDARD, peer, true);
                cx.out.eager(peer);
            }
        }
    }
}
