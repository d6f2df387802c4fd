//! The star as seen from one member.

use tertulia_core::id::Peer;
use tertulia_core::peers::PeerTable;
use tertulia_core::topology::View;

use super::KIND;
use super::config::Routing;
use super::state::Star;
use crate::election::Election;

impl Star {
    /// `nodes` are the live members by id, with roles `leader`, `follower` and, for oneself, `candidate`.
    pub(super) fn look_around(&self, peers: &PeerTable) -> View {
        if !self.is_member() {
            return View { kind: KIND, nodes: vec![(Peer::ME, "newcomer")], ..View::default() };
        }
        let leader = self.leader().and_then(|id| peers.find(&id));
        let stands = self.election.as_ref().is_some_and(Election::is_candidate);
        let role = |peer: Peer| match peer {
            _ if Some(peer) == leader => "leader",
            Peer::ME if stands => "candidate",
            _ => "follower",
        };
        let members: Vec<Peer> = peers.live().map(|(peer, _)| peer).collect();
        let links = match (self.routing, leader) {
            (Routing::Leader, Some(leader)) => {
                members.iter().filter(|p| **p != leader).map(|&p| (leader, p)).collect()
            }
            (Routing::Leader, None) => Vec::new(),
            (Routing::Direct, _) => {
                let pairs = |(at, &a): (usize, &Peer)| members[at + 1..].iter().map(move |&b| (a, b));
                members.iter().enumerate().flat_map(pairs).collect()
            }
        };
        let mut neighbours: Vec<Peer> = leader.filter(|p| self.wanted.contains_key(p)).into_iter().collect();
        let others = self.wanted.iter().filter(|(_, until)| until.is_none()).map(|(p, _)| *p);
        neighbours.extend(others.filter(|p| Some(*p) != leader));
        View {
            kind: KIND,
            nodes: members.iter().map(|&peer| (peer, role(peer))).collect(),
            links,
            neighbours,
            leader,
            term: leader.and(self.election.as_ref()).map(|e| e.ballot().term),
            electors: self.election.as_ref().map(Election::agreed).unwrap_or_default(),
        }
    }
}
