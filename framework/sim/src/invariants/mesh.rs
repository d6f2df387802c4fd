//! Meshes: everybody has the neighbours that it should have, and links to them.

use std::collections::BTreeMap;

use super::{broken, correct, list};
use crate::oracle::Violation;
use crate::sim::Sim;

/// The correct members that `n` names as neighbours; the others that it names are told of.
fn named(sim: &Sim<'_>, n: u32, correct: &[u32], out: &mut Vec<Violation>) -> Vec<u32> {
    let Some(engine) = sim.engine(n) else { return Vec::new() };
    let neighbours = engine.view().neighbours;
    let nodes: Vec<u32> = neighbours.iter().filter_map(|p| sim.node_of(&engine.peers().id(*p))).collect();
    let (good, bad): (Vec<u32>, Vec<u32>) = nodes.iter().partition(|m| correct.binary_search(m).is_ok());
    if !bad.is_empty() || nodes.len() < neighbours.len() {
        broken(sim, out, "neighbours", format!("n{n} names {}, who are no correct members", list(&bad)));
    }
    let apart: Vec<u32> = good.iter().copied().filter(|&m| !sim.linked(n).any(|l| l == m)).collect();
    if !apart.is_empty() {
        broken(sim, out, "neighbours", format!("n{n} has no link to {}", list(&apart)));
    }
    good
}

/// Where everybody is linked to everybody: no link is missing.
pub fn all_linked(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    let correct = correct(sim);
    for &n in &correct {
        let named = named(sim, n, &correct, out);
        if named.len() + 1 != correct.len() {
            broken(sim, out, "neighbours", format!("n{n} names {} alone", list(&named)));
        }
    }
}

/// Where everybody has a few neighbours of its choice: everybody has as many, short of everybody else, and links to
/// them.
pub fn neighbours_linked(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    let correct = correct(sim);
    let named: Vec<Vec<u32>> = correct.iter().map(|&n| named(sim, n, &correct, out)).collect();
    let most = named.iter().map(Vec::len).max().unwrap_or(0);
    for (&n, named) in correct.iter().zip(&named) {
        if named.len() < most || (most == 0 && correct.len() > 1) {
            broken(sim, out, "neighbours", format!("n{n} names {} alone, others {most}", list(named)));
        }
    }
}

/// Where neighbours have each other: views are the same from both ends, and nobody is alone.
pub fn views_agree(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    let correct = correct(sim);
    let views: BTreeMap<u32, Vec<u32>> = correct.iter().map(|&n| (n, named(sim, n, &correct, out))).collect();
    for (n, view) in &views {
        if view.is_empty() && correct.len() > 1 {
            broken(sim, out, "neighbours", format!("n{n} has none"));
        }
        let one_sided = view.iter().filter(|m| views.get(m).is_none_or(|other| !other.contains(n)));
        let one_sided: Vec<u32> = one_sided.copied().collect();
        if !one_sided.is_empty() {
            broken(sim, out, "neighbours", format!("n{n} is no neighbour to its own {}", list(&one_sided)));
        }
    }
}
