//! Groups of processes on a ring.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::log::PATIENCE;
use super::place::Place;
use super::running::Running;

/// Names of members.
pub const NICKS: [&str; 8] = ["ana", "ben", "cleo", "dario", "eva", "fatou", "gil", "hana"];

/// `n` members that all know each other and stand on a ring where each knows `successors`. The first one founds it, the
/// others join through it at the same moment.
#[must_use]
pub fn group(place: &Place, profile: &str, n: usize, successors: usize) -> Vec<Running> {
    let all = gathered(place, profile, n);
    closed(&all.iter().collect::<Vec<_>>(), successors);
    all
}

/// `n` members that all know each other, whatever their shape.
#[must_use]
pub fn gathered(place: &Place, profile: &str, n: usize) -> Vec<Running> {
    let first = place.chat(profile, NICKS[0]).found().start();
    let addr = first.addr();
    let mut all = vec![first];
    all.extend(NICKS[1..n].iter().map(|nick| place.chat(profile, nick).join(&addr).start()));
    whole(&all.iter().collect::<Vec<_>>());
    all
}

/// Waits until everybody has everybody for a live member.
pub fn whole(members: &[&Running]) {
    for member in members {
        told_until(member, "/peers", "members", |answer| live(answer) == members.len());
    }
}

/// Asks until the answer is `right`, again after each news of members.
fn told_until(member: &Running, command: &str, name: &str, right: impl Fn(&Value) -> bool) {
    loop {
        let from = member.mark();
        let answer = member.ask(command, name);
        if right(&answer) {
            return;
        }
        let news = ["joined", "recovered", "left", "dead"];
        let what = format!("news of members that set this right: {answer}");
        member.event_from(from, &what, |e| news.contains(&e.name()).then_some(()));
    }
}

fn live(answer: &Value) -> usize {
    let members = answer["members"].as_array().unwrap();
    members.iter().filter(|m| m["state"] == "alive" || m["state"] == "suspect").count()
}

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

/// How long after `since`, in milliseconds, for people.
#[must_use]
pub fn ms(at: Instant, since: Instant) -> u128 {
    at.checked_duration_since(since).unwrap_or(Duration::ZERO).as_millis()
}
