//! The links hold the group together.

use std::collections::BTreeSet;

use super::{broken, correct, list};
use crate::oracle::Violation;
use crate::sim::Sim;

/// Every correct member reaches every other over links between correct members.
pub fn connected(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    let correct = correct(sim);
    let Some(&first) = correct.first() else { return };
    let mut seen = BTreeSet::from([first]);
    let mut todo = vec![first];
    while let Some(n) = todo.pop() {
        for m in sim.linked(n) {
            if correct.binary_search(&m).is_ok() && seen.insert(m) {
                todo.push(m);
            }
        }
    }
    if seen.len() != correct.len() {
        let apart: Vec<u32> = correct.iter().copied().filter(|n| !seen.contains(n)).collect();
        broken(sim, out, "connected", format!("n{first} reaches nobody of {}", list(&apart)));
    }
}
