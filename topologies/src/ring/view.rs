//! The ring as seen from one member.

use std::collections::BTreeSet;

use tertulia_core::id::Peer;
use tertulia_core::peers::PeerTable;
use tertulia_core::topology::View;

use super::order;
use super::state::Ring;

impl Ring {
    /// `nodes` is the ring clockwise from oneself. `neighbours` alternates between successors and predecessors,
    /// nearest first, so its first entry is the successor that this member goes by.
    pub(super) fn look_around(&self, peers: &PeerTable) -> View {
        if !self.is_member() {
            let nodes = vec![(Peer::ME, "me")];
            return View { kind: self.tuning.kind, nodes, ..View::default() };
        }
        let ring: Vec<Peer> = std::iter::once(Peer::ME)
            .chain(order::members(peers, &self.quitting).map(|(peer, _)| peer))
            .collect();
        let before = order::predecessors(peers, &self.quitting, self.tuning.successors);
        let role = |peer: Peer| match peer {
            Peer::ME => "me",
            _ if self.successors.contains(&peer) => "successor",
            _ if before.contains(&peer) => "predecessor",
            _ => "member",
        };
        View {
            kind: self.tuning.kind,
            nodes: ring.iter().map(|&peer| (peer, role(peer))).collect(),
            links: self.links(&ring),
            neighbours: alternate(&self.successors, &before),
            ..View::default()
        }
    }

    /// Everybody with as many successors as configured; each pair once.
    fn links(&self, ring: &[Peer]) -> Vec<(Peer, Peer)> {
        let n = ring.len();
        let mut seen = BTreeSet::new();
        let mut links = Vec::with_capacity(n * self.tuning.successors);
        for step in 1..=self.tuning.successors.min(n.saturating_sub(1)) {
            for (at, &from) in ring.iter().enumerate() {
                let to = ring[(at + step) % n];
                if seen.insert((from.min(to), from.max(to))) {
                    links.push((from, to));
                }
            }
        }
        links
    }
}

/// First of one, first of the other, second of one, …; nobody twice.
fn alternate(successors: &[Peer], predecessors: &[Peer]) -> Vec<Peer> {
    let mut all = Vec::with_capacity(successors.len() + predecessors.len());
    for i in 0..successors.len().max(predecessors.len()) {
        for peer in successors.get(i).into_iter().chain(predecessors.get(i)) {
            if !all.contains(peer) {
                all.push(*peer);
            }
        }
    }
    all
}
