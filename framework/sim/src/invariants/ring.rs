//! Rings: what Zave showed that Chord's ring must keep, and what it must become.
//!
//! A member's successors are those of its neighbours, nearest first, whose role in its view is `successor`; where
//! there is no such role, whoever follows it clockwise by id. Its best successor is the first of them that runs.
//! Following best successors from any member leads onto a ring.

use std::collections::BTreeMap;

use tertulia_core::id::{Peer, PeerId};

use super::{broken, correct, list};
use crate::oracle::Violation;
use crate::sim::Sim;

/// How views of rings name those that a member follows.
const SUCCESSOR: &str = "successor";

/// How far `to` lies clockwise behind `from`, as a sortable key: first those with larger ids, then around.
fn clockwise(from: PeerId, to: PeerId) -> (bool, PeerId) {
    (to < from, to)
}

/// The running members that `n` names as neighbours, nearest first by the view; and which of them it follows.
fn neighbours(sim: &Sim<'_>, n: u32, correct: &[u32]) -> Vec<(u32, bool)> {
    let Some(engine) = sim.engine(n) else { return Vec::new() };
    let view = engine.view();
    let follows = |p: Peer| view.nodes.iter().any(|&(q, role)| q == p && role == SUCCESSOR);
    let others = view.neighbours.iter().copied().filter(|&p| p != Peer::ME);
    let node = |p: Peer| Some((sim.node_of(&engine.peers().id(p))?, follows(p)));
    others.filter_map(node).filter(|(m, _)| correct.binary_search(m).is_ok()).collect()
}

/// The neighbours of every correct member.
type Named = BTreeMap<u32, Vec<(u32, bool)>>;

fn named(sim: &Sim<'_>) -> Named {
    let correct = correct(sim);
    correct.iter().map(|&n| (n, neighbours(sim, n, &correct))).collect()
}

/// The best successor: by role, else by id.
fn next(sim: &Sim<'_>, n: u32, named: &[(u32, bool)]) -> Option<u32> {
    let by_id = || named.iter().map(|&(m, _)| m).min_by_key(|&m| clockwise(sim.id(n), sim.id(m)));
    named.iter().find(|(_, follows)| *follows).map(|&(m, _)| m).or_else(by_id)
}

/// The nearest neighbour counterclockwise.
fn previous(sim: &Sim<'_>, n: u32, named: &[(u32, bool)]) -> Option<u32> {
    named.iter().map(|&(m, _)| m).max_by_key(|&m| clockwise(sim.id(n), sim.id(m)))
}

/// Holds at every moment between failures that the successor lists can bear: every member has a live successor, and
/// best successors form exactly one ring, in order, with everybody else attached to it.
pub fn ring(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    one_ring(sim, &named(sim), out);
}

fn one_ring(sim: &Sim<'_>, named: &Named, out: &mut Vec<Violation>) {
    if named.len() < 2 {
        return;
    }
    let mut best: BTreeMap<u32, u32> = BTreeMap::new();
    for (&n, named) in named {
        match next(sim, n, named) {
            Some(next) => {
                best.insert(n, next);
            }
            None => broken(sim, out, "ring", format!("n{n} has no live successor")),
        }
    }
    if best.len() != named.len() {
        return;
    }
    let rings = cycles(&best);
    if let [a, b, ..] = &rings[..] {
        broken(sim, out, "ring", format!("two rings: {} and {}", list(a), list(b)));
    }
    for members in &rings {
        let mut next = members.iter().copied().cycle().skip(1);
        let turns = members.iter().filter(|&&m| next.next().is_some_and(|s| sim.id(s) < sim.id(m))).count();
        if turns != 1 {
            broken(sim, out, "ring", format!("out of order: {}", list(members)));
        }
    }
}

/// The cycles of a map.
fn cycles(next: &BTreeMap<u32, u32>) -> Vec<Vec<u32>> {
    let mut walk: BTreeMap<u32, u32> = BTreeMap::new();
    let mut out = Vec::new();
    for (number, &start) in (0u32..).zip(next.keys()) {
        let mut at = start;
        while !walk.contains_key(&at) {
            walk.insert(at, number);
            let Some(&to) = next.get(&at) else { break };
            at = to;
        }
        if walk.get(&at) == Some(&number) && next.contains_key(&at) {
            let mut cycle = vec![at];
            let mut to = next[&at];
            while to != at {
                cycle.push(to);
                to = next[&to];
            }
            out.push(cycle);
        }
    }
    out
}

/// Holds once the group has settled: the nearest neighbours are exactly the next and the previous live member, and
/// there are links to them.
pub fn ring_settled(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    let named = named(sim);
    one_ring(sim, &named, out);
    if named.len() < 2 {
        return;
    }
    let mut order: Vec<u32> = named.keys().copied().collect();
    order.sort_by_key(|&n| sim.id(n));
    for (i, &n) in order.iter().enumerate() {
        let after = order[(i + 1) % order.len()];
        let before = order[(i + order.len() - 1) % order.len()];
        let theirs = &named[&n];
        let found = [(after, next(sim, n, theirs), "next"), (before, previous(sim, n, theirs), "previous")];
        for (want, have, side) in found {
            if have != Some(want) {
                let have = have.map_or_else(|| "nobody".into(), |m| format!("n{m}"));
                broken(sim, out, "neighbours", format!("n{n}: {side} is {have}, not n{want}"));
            } else if !sim.linked(n).any(|m| m == want) {
                broken(sim, out, "neighbours", format!("n{n} has no link to n{want}, its {side}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_found_once() {
        let map = |pairs: &[(u32, u32)]| pairs.iter().copied().collect::<BTreeMap<_, _>>();
        assert_eq!(cycles(&map(&[(0, 1), (1, 2), (2, 0)])), vec![vec![0, 1, 2]]);
        assert_eq!(cycles(&map(&[(0, 1), (1, 2), (2, 1), (5, 0)])), vec![vec![1, 2]]);
        assert_eq!(cycles(&map(&[(0, 1), (1, 0), (2, 3), (3, 2)])).len(), 2);
    }
}
