//! What one member of a mesh remembers.

use std::collections::{BTreeMap, BTreeSet};

use tertulia_core::id::Peer;
use tertulia_core::time::{Instant, earliest};
use tertulia_core::topology::Ctx;

use super::config::{Config, Shape};
use super::detour::Detours;
use super::join::{Admissions, Joining};
use super::messages::Msg;
use super::pick::Picks;
use super::tree::Trees;

/// Where this node stands.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Neither a member nor on the way.
    Outside,
    /// On the way in.
    Joining(Joining),
    /// A member.
    Member,
    /// Out, still passing on what arrives.
    Gone,
}

/// One member of a mesh.
#[derive(Clone, Debug)]
pub(super) struct Mesh {
    pub(super) shape: Shape,
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
    /// The neighbours of its own choice, unless everybody is one.
    pub(super) picks: Picks,
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
            phase: Phase::Outside,
            wanted: BTreeMap::new(),
            linked: BTreeSet::new(),
            live: BTreeSet::new(),
            anchor: None,
            admissions: Admissions::default(),
            picks: Picks::default(),
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

    /// Neighbours that parcels can go to: live members with a link.
    pub(super) fn near(&self) -> impl Iterator<Item = Peer> {
        self.linked.intersection(&self.live).copied()
    }
}

/// Sends a message once.
pub(super) fn send(cx: &mut Ctx<'_>, to: Peer, msg: &Msg) {
    cx.out.trace(msg.name(), to, true);
    cx.out.send(to, msg.encode());
}
