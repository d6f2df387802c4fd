//! Rings of processes.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::Value;

use super::group::told_until;
use super::log::PATIENCE;
use super::running::Running;

/// Waits until the ring of exactly these members is closed: each one's last word on its neighbours names those that
/// stand next to it in the order of the keys, and all views agree. When the last one said so.
pub fn closed(members: &[&Running], successors: usize) -> Instant {
    let mut ring: Vec<(String, &Running)> = members.iter().map(|m| (m.peer(), *m)).collect();
    ring.sort_by(|a, b| a.0.cmp(&b.0));
    let keys: Vec<&str> = ring.iter().map(|(key, _)| key.as_str()).collect();
    let deadline = Instant::now() + PATIENCE;
    let mut last = None;
    for (at, (_, member)) in ring.iter().enumerate() {
        let beside = beside(&keys, at, successors);
        let left = deadline.saturating_duration_since(Instant::now());
        let said = member.within(left, &format!("the neighbours {beside:?}"), |state| {
            let said = state.named("neighbours").next_back()?;
            (peers(said.event.named("neighbours")?) == beside).then_some(said.at)
        });
        last = last.max(Some(said));
    }
    for (at, (_, member)) in ring.iter().enumerate() {
        let expected: Vec<&str> = (0..keys.len()).map(|i| keys[(at + i) % keys.len()]).collect();
        // Suspects keep their place until they are declared dead.
        told_until(member, "/topology", "topology", |answer| {
            let nodes = answer["nodes"].as_array().unwrap();
            nodes.iter().map(|n| n["peer"].as_str().unwrap()).eq(expected.iter().copied())
        });
    }
    last.unwrap()
}

/// Who stands at most `successors` away from `at`, either way.
fn beside<'a>(keys: &[&'a str], at: usize, successors: usize) -> BTreeSet<&'a str> {
    let n = keys.len();
    let near = (1..=successors.min(n - 1)).flat_map(|d| [keys[(at + d) % n], keys[(at + n - d) % n]]);
    near.collect()
}

fn peers(neighbours: &Value) -> BTreeSet<&str> {
    neighbours["peers"].as_array().unwrap().iter().map(|p| p["peer"].as_str().unwrap()).collect()
}
