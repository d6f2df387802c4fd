//! Rings: what Zave showed that Chord's ring must keep, and what it must become.
//!
//! A member's successors are those of its neighbours (as its view names them) that follow it clockwise by id; its best
//! successor is the first of them that runs. Following best successors from any member leads onto a ring.

use std::collections::BTreeMap;

use tertulia_core::id::{Peer, PeerId};

use super::{broken, correct, list};
use crate::oracle::Violation;
use crate::sim::Sim;

/// How far `to` lies clockwise behind `from`, as a sortable key: first those with larger ids, then around.
fn clockwise(from: PeerId, to: PeerId) -> (bool, PeerId) {
    (to < from, to)
}

/// The members that run and that `n` names as neighbours, nearest clockwise first.
fn neighbours(sim: &Sim<'_>, n: u32, correct: &[u32]) -> Vec<u32> {
    let Some(engine) = sim.engine(n) else { return Vec::new() };
    let me = sim.id(n);
    let named = engine.view().neighbours;
    let ids = named.into_iter().filter(|&p| p != Peer::ME).map(|p| engine.peers().id(p));
    let mut live: Vec<u32> =
        ids.filter_map(|id| sim.node_of(&id)).filter(|m| correct.binary_search(m).is_ok()).collect();
    live.sort_by_key(|&m| clockwise(me, sim.id(m)));
    live.dedup();
    live
}

/// Holds at every moment between failures that the successor lists can bear: every member has a live successor, and
/// best successors form exactly one ring, in order, with everybody else attached to it.
pub fn ring(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    let correct = correct(sim);
    if correct.len() < 2 {
        return;
    }
    let mut best: BTreeMap<u32, u32> = BTreeMap::new();
    for &n in &correct {
        match neighbours(sim, n, &correct).first() {
            Some(&next) => {
                best.insert(n, next);
            }
            None => broken(sim, out, "ring", format!("n{n} has no live successor")),
        }
    }
    if best.len() != correct.len() {
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
    ring(sim, out);
    let correct = correct(sim);
    if correct.len() < 2 {
        return;
    }
    let mut order = correct.clone();
    order.sort_by_key(|&n| sim.id(n));
    for (i, &n) in order.iter().enumerate() {
        let next = order[(i + 1) % order.len()];
        let previous = order[(i + order.len() - 1) % order.len()];
        let named = neighbours(sim, n, &correct);
        for (what, want, have) in [("next", next, named.first()), ("previous", previous, named.last())] {
            if have != Some(&want) {
                let have = have.map_or_else(|| "nobody".into(), |m| format!("n{m}"));
                broken(sim, out, "neighbours", format!("n{n}: {what} is {have}, not n{want}"));
            } else if !sim.linked(n).any(|m| m == want) {
                broken(sim, out, "neighbours", format!("n{n} has no link to n{want}, its {what}"));
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
