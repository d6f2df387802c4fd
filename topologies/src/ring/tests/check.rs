//! What the miniature network looks like from outside, and what should hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use tertulia_core::id::Peer;
use tertulia_core::topology::{Input, Novelty, Routed, View};

use crate::net::{Net, pair};

impl Net {
    /// Sends a parcel from `origin` through the whole network, each hop seen once: who got the payload, how often it
    /// crossed a link, and who was left with an announcement.
    pub(super) fn parcel(&mut self, origin: usize, to: Option<usize>) -> (Vec<usize>, usize) {
        let to = to.map(|to| self.nodes[to].id);
        let mut seen = BTreeSet::from([origin]);
        let (mut at_work, mut crossed) = (vec![(origin, None, 0u8)], 0);
        while !at_work.is_empty() {
            let (who, from, hops) = at_work.remove(0);
            let parcel = Routed { origin: self.handle(who, origin), to, hops, number: 1, len: 100 };
            let peer = from.map(|from| self.handle(who, from));
            let route = Input::Route { parcel, from: peer, novelty: Novelty::New };
            for next in self.routed(who, route).0 {
                assert!(self.links.contains(&pair(who, next)), "no link from {who} to {next}");
                if Some(next) == from || next == origin {
                    continue;
                }
                crossed += 1;
                if seen.insert(next) {
                    at_work.push((next, Some(who), hops + 1));
                }
            }
        }
        (seen.into_iter().collect(), crossed)
    }

    pub(super) fn view(&self, who: usize) -> View {
        self.nodes[who].topology.view(&self.nodes[who].table)
    }

    /// What the view of a member names, as indices.
    pub(super) fn named(&self, who: usize, peers: &[Peer]) -> Vec<usize> {
        peers.iter().map(|&peer| self.index(who, peer)).collect()
    }

    pub(super) fn members(&self) -> Vec<usize> {
        let mut members: Vec<usize> = (0..self.nodes.len()).filter(|&i| self.is_member(i)).collect();
        members.sort_by_key(|&i| self.nodes[i].id);
        members
    }

    /// A nick that two members hold.
    pub(super) fn double_nick(&self) -> Option<Arc<str>> {
        let mut seen = BTreeSet::new();
        let nicks = self.members().into_iter().map(|who| self.nodes[who].nick.clone());
        nicks.filter(|nick| !seen.insert(nick.clone())).last()
    }

    /// What is wrong with the ring of all live members, if anything: every member goes by the next live members
    /// clockwise, and is linked to them.
    pub(super) fn fault(&self, r: usize) -> Option<String> {
        let ring = self.members();
        let n = ring.len();
        for (at, &who) in ring.iter().enumerate() {
            let view = self.view(who);
            let roles: Vec<Peer> =
                view.nodes.iter().filter(|(_, role)| *role == "successor").map(|(p, _)| *p).collect();
            let have = self.named(who, &roles);
            let want: Vec<usize> = (1..=r.min(n - 1)).map(|step| ring[(at + step) % n]).collect();
            if have != want {
                return Some(format!("{who} goes by {have:?}, should by {want:?} in {ring:?}"));
            }
            if let Some(&to) = want.iter().find(|&&to| !self.links.contains(&pair(who, to))) {
                return Some(format!("{who} has no link to {to} in {ring:?}"));
            }
            if view.nodes.len() != n {
                return Some(format!("{who} sees {} of {n}", view.nodes.len()));
            }
        }
        None
    }
}
