//! The mesh as seen from one member.

use tertulia_core::id::Peer;
use tertulia_core::peers::PeerTable;
use tertulia_core::topology::View;

use super::KIND;
use super::config::Shape;
use super::state::{Mesh, Phase};

impl Mesh {
    /// `nodes` are the live members by id, `neighbours` those of one's own choice; the links are one's own, or all
    /// where everybody is linked to everybody.
    pub(super) fn seen(&self, peers: &PeerTable) -> View {
        if matches!(self.phase, Phase::Outside | Phase::Joining(_)) {
            return View { kind: KIND, nodes: vec![(Peer::ME, "newcomer")], ..View::default() };
        }
        let members: Vec<Peer> = peers.live().map(|(peer, _)| peer).collect();
        let neighbours: Vec<Peer> = match self.shape {
            Shape::Full => members.iter().copied().filter(|&peer| peer != Peer::ME).collect(),
            Shape::Pick(_) => self.picks.iter().collect(),
            Shape::Active(_) => self.active.iter().collect(),
        };
        let role = |peer: Peer| match peer {
            Peer::ME => "me",
            _ if neighbours.contains(&peer) => "neighbour",
            _ => "member",
        };
        let links = match self.shape {
            Shape::Full => {
                let pairs = |(at, &a): (usize, &Peer)| members[at + 1..].iter().map(move |&b| (a, b));
                members.iter().enumerate().flat_map(pairs).collect()
            }
            Shape::Pick(_) | Shape::Active(_) => self.near().map(|peer| (Peer::ME, peer)).collect(),
        };
        let nodes = members.iter().map(|&peer| (peer, role(peer))).collect();
        View { kind: KIND, nodes, links, neighbours, ..View::default() }
    }
}
