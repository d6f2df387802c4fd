//! Groups of processes, and when they are settled.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::place::Place;
use super::running::Running;
use super::{check, ring, star};

/// Names of members.
pub const NICKS: [&str; 8] = ["ana", "ben", "cleo", "dario", "eva", "fatou", "gil", "hana"];

/// What a group is to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A ring on which each knows so many successors.
    Ring(usize),
    /// A star around a leader.
    Star,
    /// A mesh: whoever knows everybody is settled.
    Mesh,
}

impl Shape {
    /// Waits until exactly these members are settled. When the last one was.
    pub fn settled(self, members: &[&Running]) -> Instant {
        match self {
            Shape::Ring(successors) => ring::closed(members, successors),
            Shape::Star => star::agreed(members),
            Shape::Mesh => {
                whole(members);
                Instant::now()
            }
        }
    }
}

/// `n` members that all know each other and are settled. The first one founds the group, the others join through it at
/// the same moment.
#[must_use]
pub fn group(place: &Place, profile: &str, n: usize, shape: Shape) -> Vec<Running> {
    let first = place.chat(profile, NICKS[0]).found().start();
    let addr = first.addr();
    let mut all = vec![first];
    all.extend(NICKS[1..n].iter().map(|nick| place.chat(profile, nick).join(&addr).start()));
    let members: Vec<&Running> = all.iter().collect();
    whole(&members);
    shape.settled(&members);
    all
}

/// Waits until everybody has everybody for a live member.
pub fn whole(members: &[&Running]) {
    for member in members {
        told_until(member, "/peers", "members", |answer| live(answer) == members.len());
    }
}

/// Asks until the answer is `right`, again after each news of members.
pub(super) fn told_until(member: &Running, command: &str, name: &str, right: impl Fn(&Value) -> bool) {
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

/// The longest time for which any of these heard nobody, and for which any of them heard nothing of one other.
#[must_use]
pub fn silence(members: &[&Running], since: Instant, until: Instant) -> (Duration, Duration) {
    let silences = members.iter().map(|member| {
        let others: Vec<String> = members.iter().map(|m| m.peer()).filter(|p| *p != member.peer()).collect();
        member.state(|state| check::silence(state, &others, since, until))
    });
    silences.fold((Duration::ZERO, Duration::ZERO), |most, one| (most.0.max(one.0), most.1.max(one.1)))
}

/// When the first and the last of these told such news of `peer` that they had since then.
#[must_use]
pub fn told(members: &[&Running], name: &str, peer: &str, since: Instant) -> (Instant, Instant) {
    let times: Vec<Instant> = members
        .iter()
        .map(|member| {
            member.until(&format!("{name} of {}", &peer[..8]), |state| {
                state.named(name).find(|s| s.at >= since && s.event.is_about(&[name], peer)).map(|s| s.at)
            })
        })
        .collect();
    (*times.iter().min().unwrap(), *times.iter().max().unwrap())
}

/// How long after `since`, in milliseconds, for people.
#[must_use]
pub fn ms(at: Instant, since: Instant) -> u128 {
    at.checked_duration_since(since).unwrap_or(Duration::ZERO).as_millis()
}
