//! What the miniature network looks like from outside, and a parcel's way through it.

use std::collections::{BTreeMap, BTreeSet};

use tertulia_core::id::Peer;
use tertulia_core::rng::mix;
use tertulia_core::topology::{Input, Novelty, Routed, View};

use super::super::{Choice, Config, Degree};
use crate::net::{HOP, Net, pair};

/// What became of a parcel.
#[derive(Debug, Default)]
pub(super) struct Spread {
    /// Payloads sent, first ways only.
    pub(super) payloads: usize,
    /// Announcements sent.
    pub(super) announced: usize,
    /// Who got it without asking, the origin included.
    pub(super) reached: BTreeSet<usize>,
    /// Who pulled it from whom.
    pub(super) pulled: Vec<(usize, usize)>,
}

impl Net {
    pub(super) fn seen(&self, who: usize) -> View {
        self.nodes[who].topology.view(&self.nodes[who].table)
    }

    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&i| self.is_member(i)).collect()
    }

    pub(super) fn neighbours(&self, who: usize) -> Vec<usize> {
        self.seen(who).neighbours.iter().map(|&peer| self.index(who, peer)).collect()
    }

    /// What is wrong with the mesh of all live members, if anything.
    pub(super) fn mesh_fault(&self, config: Config) -> Option<String> {
        let all = self.all();
        let most = match config.degree {
            Degree::Full => all.len() - 1,
            Degree::Of(n) => usize::from(n).min(all.len() - 1),
        };
        let is_active = config.view == Choice::Active && config.degree != Degree::Full;
        let least = if is_active { most.min(1) } else { most };
        for &who in &all {
            let near = self.neighbours(who);
            if is_active && let Some(other) = near.iter().find(|&&m| !self.neighbours(m).contains(&who)) {
                return Some(format!("{who} has {other}, which does not have it"));
            }
            if !(least..=most).contains(&near.len()) || near.iter().any(|m| !all.contains(m)) {
                return Some(format!("{who} has {near:?}, should have {most} of {all:?}"));
            }
            if let Some(to) = near.iter().find(|&&to| !self.links.contains(&pair(who, to))) {
                return Some(format!("{who} has no link to {to}"));
            }
        }
        let (mut seen, mut todo) = (BTreeSet::from([all[0]]), vec![all[0]]);
        while let Some(at) = todo.pop() {
            let near =
                |a: usize, b: usize| self.neighbours(a).contains(&b) || self.neighbours(b).contains(&a);
            let linked = all.iter().filter(|&&m| near(at, m));
            todo.extend(linked.filter(|&&m| seen.insert(m)));
        }
        (seen.len() < all.len()).then(|| format!("{:?} are apart", all.len() - seen.len()))
    }

    /// Sends a parcel of `origin` through the whole network, links differing in how long they take. Whoever is left
    /// with announcements pulls.
    pub(super) fn spread(&mut self, origin: usize, number: u64) -> Spread {
        let mut out = Spread { reached: BTreeSet::from([origin]), ..Spread::default() };
        let mut announced: BTreeMap<usize, usize> = BTreeMap::new();
        let mut way = BTreeMap::from([((0, 0, origin), None)]);
        let mut sent = 0;
        loop {
            let Some(((at, _, who), from)) = way.pop_first() else {
                announced.retain(|who, _| !out.reached.contains(who));
                let Some((who, holder)) = announced.pop_first() else { break };
                let (by, of) = (self.handle(holder, who), self.handle(holder, origin));
                self.input(holder, Input::Pulled { by, origin: of });
                out.pulled.push((who, holder));
                out.reached.insert(who);
                way.insert((0, 0, who), Some(holder));
                continue;
            };
            let pulled = out.pulled.last().is_some_and(|&(w, h)| (w, Some(h)) == (who, from)) && at == 0;
            let first = who == origin || pulled || out.reached.insert(who);
            let novelty = if first { Novelty::New } else { Novelty::Duplicate };
            let parcel = Routed { origin: self.handle(who, origin), to: None, hops: 0, number, len: 100 };
            let peer = from.map(|from| self.handle(who, from));
            let (eager, lazy) = self.routed(who, Input::Route { parcel, from: peer, novelty });
            for next in eager.into_iter().filter(|&n| Some(n) != from && n != origin && first) {
                let (a, b) = pair(who, next);
                let takes = 10 + mix((a * 1000 + b) as u64) % 90;
                (out.payloads, sent) = (out.payloads + 1, sent + 1);
                way.insert((at + takes, sent, next), Some(who));
            }
            for next in lazy.into_iter().filter(|&n| Some(n) != from && n != origin && first) {
                out.announced += 1;
                announced.insert(next, who);
            }
        }
        self.run(HOP * 3);
        out
    }

    /// Where a parcel for one member goes when everybody passes it on once: who got it, and payloads.
    pub(super) fn direct(&mut self, origin: usize, to: usize) -> (BTreeSet<usize>, usize) {
        let id = self.nodes[to].id;
        let (mut seen, mut todo, mut crossed) = (BTreeSet::from([origin]), vec![(origin, None)], 0);
        while !todo.is_empty() {
            let (who, from): (usize, Option<usize>) = todo.remove(0);
            let parcel =
                Routed { origin: self.handle(who, origin), to: Some(id), hops: 0, number: 1, len: 9 };
            let peer: Option<Peer> = from.map(|from| self.handle(who, from));
            let route = Input::Route { parcel, from: peer, novelty: Novelty::New };
            for next in self.routed(who, route).0.into_iter().filter(|&n| Some(n) != from && n != origin) {
                crossed += 1;
                if seen.insert(next) && next != to {
                    todo.push((next, Some(who)));
                }
            }
        }
        (seen, crossed)
    }
}
