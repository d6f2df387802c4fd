//! The circular order of ids.

use std::collections::BTreeMap;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::{Entry, PeerTable};
use tertulia_core::time::Instant;

/// Members that said goodbye and whom the roster may still call live, with the time when that is forgotten.
pub(super) type Quitting = BTreeMap<PeerId, Instant>;

/// True when one meets `x` on the way clockwise from `from` to `to`, both excluded. From somebody round to the same
/// one, one meets everybody else.
pub(super) fn between(from: PeerId, x: PeerId, to: PeerId) -> bool {
    if from < to { from < x && x < to } else { (x > from || x < to) && x != from && x != to }
}

/// Live members clockwise from here, oneself and those about to leave excluded.
pub(super) fn members<'a>(
    peers: &'a PeerTable,
    quitting: &'a Quitting,
) -> impl DoubleEndedIterator<Item = (Peer, &'a Entry)> {
    peers.clockwise().filter(|(_, e)| e.is_live() && !quitting.contains_key(&e.id))
}

/// The first live members clockwise until `r` of them count, or `most` are found.
pub(super) fn successors(
    peers: &PeerTable,
    quitting: &Quitting,
    r: usize,
    most: usize,
    counts: impl Fn(Peer, &Entry) -> bool,
) -> Vec<Peer> {
    let mut found = Vec::with_capacity(r);
    let mut counted = 0;
    for (peer, entry) in members(peers, quitting) {
        found.push(peer);
        counted += usize::from(counts(peer, entry));
        if counted >= r || found.len() >= most {
            break;
        }
    }
    found
}

/// The nearest live members counterclockwise, nearest first.
pub(super) fn predecessors(peers: &PeerTable, quitting: &Quitting, r: usize) -> Vec<Peer> {
    members(peers, quitting).rev().take(r).map(|(peer, _)| peer).collect()
}

/// Live members, oneself included, clockwise from `id`, which is left out itself.
pub(super) fn clockwise_from(peers: &PeerTable, quitting: &Quitting, id: PeerId) -> Vec<Peer> {
    let mut ring: Vec<Peer> = std::iter::once(Peer::ME)
        .chain(members(peers, quitting).map(|(peer, _)| peer))
        .filter(|&peer| peers.id(peer) != id)
        .collect();
    // Already circular: only the place where the circle is cut has to move.
    ring.sort_unstable_by_key(|&peer| clockwise_key(id, peers.id(peer)));
    ring
}

/// Sorts ids clockwise from `from`.
pub(super) fn clockwise_key(from: PeerId, id: PeerId) -> (bool, PeerId) {
    (id <= from, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> PeerId {
        PeerId([n; 32])
    }

    #[test]
    fn between_goes_round() {
        assert!(between(id(1), id(2), id(3)));
        assert!(
            !between(id(1), id(3), id(3)) && !between(id(1), id(1), id(3)) && !between(id(1), id(4), id(3))
        );
        assert!(between(id(3), id(4), id(1)) && between(id(3), id(0), id(1)));
        assert!(!between(id(3), id(2), id(1)) && !between(id(3), id(1), id(1)));
        assert!(between(id(3), id(1), id(3)) && !between(id(3), id(3), id(3)));
    }
}
