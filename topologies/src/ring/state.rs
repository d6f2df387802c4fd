//! What one member of a ring remembers.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::{PeerTable, State};
use tertulia_core::time::{Instant, earliest};
use tertulia_core::topology::Ctx;

use super::admit::Admission;
use super::config::Tuning;
use super::courier::Courier;
use super::messages::{Around, LIST_MAX, Place};
use super::order::{self, Quitting};
use super::planted::Chord2001;
use super::route::Routes;
use crate::place::place;
use crate::request::Request;

/// How long a link that is not needed any more is kept, so that its successor carries before it goes.
pub(super) const LINGER: Duration = Duration::from_secs(1);
/// How long a member named by another is dialled before the roster confirms it.
pub(super) const HINT: Duration = Duration::from_secs(10);
/// Members named by others and not confirmed at most.
pub(super) const HINTS_MAX: usize = 32;
/// How long a member that said `QUIT` is left out, should the roster go on calling it live.
pub(super) const QUITTING: Duration = Duration::from_secs(10);
/// Members remembered as leaving at most.
pub(super) const QUITTING_MAX: usize = 64;
/// A wanted successor without a link for this long does not count any more: one further on is wanted besides.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Where this node stands.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Neither a member nor on the way.
    Outside,
    /// On the way in.
    Joining(Request),
    /// A member.
    Member,
    /// On the way out; the time when it goes unheard.
    Leaving(Instant),
    /// Out, still passing on what arrives.
    Gone,
}

/// A link that this node wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    /// Since when it is wanted or, if later, without a link.
    pub(super) since: Instant,
    /// When to let go of it, for a link that is not needed any more.
    pub(super) until: Option<Instant>,
}

/// One member of a ring.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    pub(super) tuning: Tuning,
    pub(super) phase: Phase,
    /// The successor list, nearest first: live ones only.
    pub(super) successors: Vec<Peer>,
    /// Whom this node wants links to, for whatever reason.
    pub(super) wanted: BTreeMap<Peer, Want>,
    /// Members named by others whom the roster does not know yet, with the time when they are dropped.
    pub(super) hints: BTreeMap<PeerId, Instant>,
    /// Members that said `QUIT`.
    pub(super) quitting: Quitting,
    /// Through whom this node came in; kept until a link to a live successor is up.
    pub(super) anchor: Option<Peer>,
    /// A predecessor that did not manage to link by itself.
    pub(super) helped: Option<Peer>,
    /// Peers with a link.
    pub(super) linked: BTreeSet<Peer>,
    /// Where parcels go, computed from the above on first use.
    pub(super) routes: Routes,
    pub(super) courier: Courier,
    pub(super) admissions: BTreeMap<PeerId, Admission>,
    /// When to compare views next; `None` for those who are no members.
    pub(super) tick: Option<Instant>,
    /// The nearest linked neighbours when views were last compared.
    pub(super) greeted: (Option<Peer>, Option<Peer>),
    /// When to look again because something was learnt or will be dropped.
    pub(super) look: Option<Instant>,
    /// Frames that made no sense.
    pub(super) ignored: u64,
    /// The successor that a `QUIT` named, in rings planted with the documented fault.
    pub(super) forced: Option<PeerId>,
    /// The successor list of rings planted with the faults of 2001.
    pub(super) chord: Chord2001,
}

impl Ring {
    pub(super) fn new(tuning: Tuning) -> Self {
        Ring {
            tuning,
            phase: Phase::Outside,
            successors: Vec::new(),
            wanted: BTreeMap::new(),
            hints: BTreeMap::new(),
            quitting: BTreeMap::new(),
            anchor: None,
            helped: None,
            linked: BTreeSet::new(),
            routes: Routes::default(),
            courier: Courier::new(tuning.retry),
            admissions: BTreeMap::new(),
            tick: None,
            greeted: (None, None),
            look: None,
            ignored: 0,
            forced: None,
            chord: Chord2001::default(),
        }
    }

    /// True for members, those on the way out included.
    pub(super) fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Member | Phase::Leaving(_))
    }

    /// The nearest linked live member clockwise.
    pub(super) fn next_linked(&self, peers: &PeerTable) -> Option<Peer> {
        order::members(peers, &self.quitting).map(|(p, _)| p).find(|p| self.linked.contains(p))
    }

    /// The nearest linked live member counterclockwise.
    pub(super) fn previous_linked(&self, peers: &PeerTable) -> Option<Peer> {
        order::members(peers, &self.quitting).rev().map(|(p, _)| p).find(|p| self.linked.contains(p))
    }

    /// The members around this node, for others.
    pub(super) fn around_me(&self, peers: &PeerTable) -> Around {
        if let Some(around) = self.around_planted(peers) {
            return around;
        }
        let before = order::members(peers, &self.quitting).next_back();
        let after = order::members(peers, &self.quitting).take(self.tuning.successors);
        Around {
            predecessor: before.map(|(peer, _)| place(peers, peer)),
            successors: after.map(|(peer, _)| place(peers, peer)).collect(),
        }
    }

    /// The members around the place where `id` stands or will stand.
    pub(super) fn around(&self, peers: &PeerTable, id: PeerId) -> Around {
        let ring = order::clockwise_from(peers, &self.quitting, id);
        let list = ring.iter().take(self.tuning.successors.min(LIST_MAX));
        Around {
            predecessor: ring.last().map(|&peer| place(peers, peer)),
            successors: list.map(|&peer| place(peers, peer)).collect(),
        }
    }

    /// Asks to be called again at `at` or before.
    pub(super) fn look_at(&mut self, at: Instant) {
        self.look = earliest(self.look, Some(at));
    }

    /// Somebody was named by another member: tells the engine where to find it and has it dialled until the
    /// roster knows it. Whom the roster calls dead or left is not taken on hearsay.
    pub(super) fn hear_of(&mut self, cx: &mut Ctx<'_>, named: &Place) {
        if named.id == cx.me() || self.quitting.contains_key(&named.id) {
            return;
        }
        let known = cx.peers.find(&named.id).map(|peer| cx.peers.get(peer).state);
        if known.is_some_and(|state| state != State::Unknown) {
            return;
        }
        if !named.addrs.is_empty() {
            cx.out.learn(named.id, named.addrs.clone());
        }
        if self.hints.len() < HINTS_MAX || self.hints.contains_key(&named.id) {
            self.hints.insert(named.id, cx.now + HINT);
            // The engine knows it after this call; look then.
            self.look_at(cx.now);
        }
    }

    /// A member said that it goes.
    pub(super) fn hear_quit(&mut self, cx: &Ctx<'_>, who: PeerId) {
        if self.quitting.len() < QUITTING_MAX || self.quitting.contains_key(&who) {
            self.quitting.insert(who, cx.now + QUITTING);
        }
    }
}
