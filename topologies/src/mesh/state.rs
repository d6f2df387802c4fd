//! What one member of a mesh remembers.

use std::collections::{BTreeMap, BTreeSet};

use tertulia_core::id::Peer;
use tertulia_core::time::{Instant, earliest};
use tertulia_core::topology::Ctx;

use super::active::Active;
use super::beacon::Beacon;
use super::config::{Config, Planted, Shape};
use super::detour::Detours;
use super::join::Admissions;
use super::messages::Msg;
use super::pick::Picks;
use super::seek::Seeking;
use super::shuffle::Shuffles;
use super::tree::Trees;
use crate::request::Request;

/// Where this node stands.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Neither a member nor on the way.
    Outside,
    /// On the way in.
    Joining(Request),
    /// A member.
    Member,
    /// Out, still passing on what arrives.
    Gone,
}

/// One member of a mesh.
#[derive(Clone, Debug)]
pub(super) struct Mesh {
    pub(super) shape: Shape,
    pub(super) planted: Option<Planted>,
    pub(super) phase: Phase,
    /// Whom this node wants links to; the time when one that is not needed any more is let go.
    pub(super) wanted: BTreeMap<Peer, Option<Instant>>,
    /// Peers with a link.
    pub(super) linked: BTreeSet<Peer>,
    /// Live members other than this node, as last told.
    pub(super) live: BTreeSet<Peer>,
    /// Through whom this node came in; kept until a neighbour of its own choice is linked.
    pub(super) anchor: Option<Peer>,
    pub(super) admissions: Admissions,
    /// The neighbours of its own choice, where it picks them.
    pub(super) picks: Picks,
    /// The neighbours that have it for theirs, where views are active.
    pub(super) active: Active,
    /// Whether all hear of the same member.
    pub(super) beacon: Beacon,
    /// Whom it asks to be a neighbour.
    pub(super) seeking: Seeking,
    /// Members to replace neighbours with, and how they are exchanged.
    pub(super) shuffles: Shuffles,
    /// Who misses whom, where everybody is linked to everybody.
    pub(super) detours: Detours,
    /// Which ways each origin's parcels take, where not everybody is.
    pub(super) trees: Trees,
    /// When to look again at links.
    pub(super) look: Option<Instant>,
    /// Frames that made no sense.
    pub(super) ignored: u64,
}

impl Mesh {
    pub(super) fn new(config: &Config) -> Self {
        Mesh {
            shape: config.shape(),
            planted: config.planted,
            phase: Phase::Outside,
            wanted: BTreeMap::new(),
            linked: BTreeSet::new(),
            live: BTreeSet::new(),
            anchor: None,
            admissions: Admissions::default(),
            picks: Picks::default(),
            active: Active::default(),
            beacon: Beacon::default(),
            seeking: Seeking::default(),
            shuffles: Shuffles::new(config),
            detours: Detours::default(),
            trees: Trees::default(),
            look: None,
            ignored: 0,
        }
    }

    pub(super) fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Member)
    }

    /// Asks to be called again at `at` or before.
    pub(super) fn look_at(&mut self, at: Instant) {
        self.look = earliest(self.look, Some(at));
    }

    /// Members that are linked.
    pub(super) fn near(&self) -> impl Iterator<Item = Peer> {
        self.linked.intersection(&self.live).copied()
    }

    /// Where parcels can go: over every link; where views are active, to whom this node has for a neighbour, if there
    /// is one.
    pub(super) fn ways(&self) -> impl Iterator<Item = Peer> {
        let all = !matches!(self.shape, Shape::Active(_)) || !self.near().any(|p| self.active.contains(p));
        self.near().filter(move |&peer| all || self.active.contains(peer))
    }
}

/// Sends a message once.
pub(super) fn send(cx: &mut Ctx<'_>, to: Peer, msg: &Msg) {
    cx.out.trace(msg.name(), to, true);
    cx.out.send(to, msg.encode());
}
