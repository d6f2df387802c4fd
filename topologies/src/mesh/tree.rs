//! Broadcast trees: one per origin, grown out of the mesh by what parcels do (Plumtree, Leitão et al. 2007).
//!
//! An origin's first parcel goes over every link. Whoever gets it a second time has the sender only announce from then
//! on (`PRUNE`), so that what is left is the tree of the fastest ways; the other links carry announcements. A branch
//! that breaks is noticed by an announcement without a parcel: delivery pulls, and whoever is pulled from sends
//! payloads again.

use std::collections::{BTreeMap, BTreeSet};

use tertulia_core::id::Peer;

/// Origins whose trees are remembered at most; parcels of others go over every link.
const TREES_MAX: usize = 2048;
/// Parcels that come first by a pruned link before that link is taken for the way.
const STRANGE: u8 = 4;

/// One origin's tree, as far as it goes through this member.
#[derive(Clone, Debug, Default)]
struct Tree {
    /// From whom its parcels come.
    parent: Option<Peer>,
    /// Parcels in a row that came from elsewhere.
    strange: u8,
    /// Neighbours that only get announcements.
    lazy: BTreeSet<Peer>,
}

/// The trees of all origins.
#[derive(Clone, Debug, Default)]
pub(super) struct Trees(BTreeMap<Peer, Tree>);

impl Trees {
    /// Which neighbours only get announcements of an origin's parcels.
    pub(super) fn is_lazy(&self, origin: Peer) -> impl Fn(Peer) -> bool {
        let tree = self.0.get(&origin);
        move |to| tree.is_some_and(|tree| tree.lazy.contains(&to))
    }

    fn tree(&mut self, origin: Peer) -> Option<&mut Tree> {
        if self.0.len() >= TREES_MAX && !self.0.contains_key(&origin) {
            return None;
        }
        Some(self.0.entry(origin).or_default())
    }

    /// A new parcel came from a neighbour. What a pruned one sends was on its way already, or pulled; only when that
    /// goes on is the neighbour the parent.
    pub(super) fn came(&mut self, origin: Peer, from: Peer) {
        let Some(tree) = self.tree(origin) else { return };
        let other = tree.parent.is_some_and(|parent| parent != from);
        tree.strange = if other { tree.strange.saturating_add(1) } else { 0 };
        if !other || !tree.lazy.contains(&from) || tree.strange >= STRANGE {
            (tree.parent, tree.strange) = (Some(from), 0);
        }
    }

    /// A parcel came again from a neighbour: true when that is to be told to announce only.
    pub(super) fn came_again(&mut self, origin: Peer, from: Peer) -> bool {
        let Some(tree) = self.tree(origin) else { return false };
        if tree.parent == Some(from) {
            // A frame that was doubled, or outrun by others: the way stays.
            tree.strange = 0;
            return false;
        }
        tree.lazy.insert(from);
        true
    }

    /// A neighbour wants announcements only.
    pub(super) fn prune(&mut self, origin: Peer, by: Peer) {
        if let Some(tree) = self.tree(origin) {
            tree.lazy.insert(by);
        }
    }

    /// A neighbour pulled what was announced: it gets payloads.
    pub(super) fn graft(&mut self, origin: Peer, by: Peer) {
        if let Some(tree) = self.0.get_mut(&origin) {
            tree.lazy.remove(&by);
        }
    }

    /// A new link carries payloads until it turns out to be one too many.
    pub(super) fn link_up(&mut self, peer: Peer) {
        for tree in self.0.values_mut() {
            tree.lazy.remove(&peer);
        }
    }

    pub(super) fn link_down(&mut self, peer: Peer) {
        for tree in self.0.values_mut() {
            tree.parent = tree.parent.filter(|&p| p != peer);
            tree.lazy.remove(&peer);
        }
    }

    /// Nothing of a peer stays.
    pub(super) fn forget(&mut self, peer: Peer) {
        self.0.remove(&peer);
        self.link_down(peer);
    }
}
