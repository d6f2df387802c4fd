//! One schedule: run, and judged; or run so far, to see where the next event can strike.

use std::time::Duration;

use tertulia_core::rng::NodeRng;

use super::Explorer;
use super::schedule::{Act, Place, Schedule};
use crate::campaign::{Topologies, check, payload};
use crate::counters::Counters;
use crate::oracle::{Expect, Violation};
use crate::sim::Sim;
use crate::tap::Watch;

/// A group is quiet when nothing of note has happened for this long.
pub const CALM: Duration = Duration::from_secs(1);
/// An event that strikes once all is quiet.
pub(super) const QUIET: u64 = u64::MAX;

/// Runs one schedule, watched if need be: what was broken, and what was done.
#[must_use]
pub fn run_schedule(
    explorer: &Explorer,
    schedule: &Schedule,
    make: Topologies<'_>,
    watch: Option<Box<dyn Watch>>,
) -> (Vec<Violation>, Counters) {
    let factory = |node| make(schedule.seed, node);
    let mut sim = Sim::new(explorer.sim.seeded(schedule.seed), &factory);
    sim.set_watch(watch);
    let mut violations = play(explorer, schedule, &mut sim);
    let expect = Expect::default();
    let gone = |sim: &Sim<'_>| {
        sim.running().iter().all(|&n| sim.leaving_since(n).is_none() && !sim.is_publishing(n))
    };
    let complete = |sim: &Sim<'_>| {
        let correct: Vec<u32> = sim.members().collect();
        sim.oracle().is_complete(sim.now(), &correct, &expect)
    };
    let settled = |sim: &Sim<'_>| gone(sim) && broken(explorer, sim).is_empty() && complete(sim);
    sim.run_while(Duration::from_millis(250), explorer.settle, settled);
    violations.extend(broken(explorer, &sim));
    let correct: Vec<u32> = sim.members().collect();
    violations.extend(sim.oracle().judge(sim.now(), &correct, &expect).violations);
    (violations, sim.counters().clone())
}

/// Where the next event of a schedule can strike after those that it has.
pub(super) fn places(explorer: &Explorer, schedule: &Schedule, make: Topologies<'_>) -> Vec<Place> {
    let factory = |node| make(schedule.seed, node);
    let mut sim = Sim::new(explorer.sim.seeded(schedule.seed), &factory);
    play(explorer, schedule, &mut sim);
    let act = schedule.acts[schedule.places.len()];
    let (first, limit) = (sim.messages(), sim.now() + explorer.settle);
    let mut out = Vec::new();
    let (mut then, mut before) = (None, Vec::new());
    loop {
        let after = sim.messages() - first;
        let moved = then.replace(sim.now()) != Some(sim.now());
        let who = targets(&sim, act);
        let own = |n: u32| [Some(n), speaker(&sim, act, n)].contains(&sim.receiver());
        let news = who.iter().filter(|&&n| moved || own(n) || !before.contains(&n));
        out.extend(news.map(|&who| Place { who, after }));
        before = who;
        if !sim.run_messages(1, limit.min(sim.last_activity() + CALM)) {
            break;
        }
    }
    out.extend(targets(&sim, act).into_iter().map(|who| Place { who, after: QUIET }));
    out
}

/// What is wrong with a group that should have settled.
fn broken(explorer: &Explorer, sim: &Sim<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    check(sim, &explorer.settled, &mut violations);
    violations
}

/// Forms the group, and lets the events strike that have a place. What was wrong with the group before them.
fn play(explorer: &Explorer, schedule: &Schedule, sim: &mut Sim<'_>) -> Vec<Violation> {
    let founder = sim.found();
    sim.join_many(schedule.start - 1, &[founder]);
    let formed = |sim: &Sim<'_>| broken(explorer, sim).is_empty();
    sim.run_while(Duration::from_millis(100), explorer.settle, formed);
    let violations = broken(explorer, sim);
    let mut rng = NodeRng::fork(schedule.seed, 11);
    for (i, place) in schedule.places.iter().enumerate() {
        match place.after {
            QUIET => drop(sim.run_until_quiet(CALM, explorer.settle)),
            after => drop(sim.run_messages(after, sim.now() + explorer.settle)),
        }
        let others = schedule.acts[i + 1..].iter().filter(|a| **a != Act::Join).count();
        strike(sim, schedule.acts[i], place.who, others, &mut rng);
    }
    violations
}

fn is_ready(sim: &Sim<'_>, n: u32) -> bool {
    sim.ready_at(n).is_some()
}

/// At whom an event can strike now.
fn targets(sim: &Sim<'_>, act: Act) -> Vec<u32> {
    let ready = sim.members().filter(|&n| is_ready(sim, n));
    match act {
        Act::Join => ready.collect(),
        Act::Leave | Act::Fail => {
            let ready: Vec<u32> = ready.collect();
            sim.members().filter(|n| ready.iter().any(|r| r != n)).collect()
        }
    }
}

/// Members clockwise from `n`, itself left out.
fn clockwise(sim: &Sim<'_>, n: u32) -> Vec<u32> {
    let mut ring: Vec<u32> = sim.members().filter(|&m| m != n).collect();
    ring.sort_by_key(|&m| (sim.id(m) < sim.id(n), sim.id(m)));
    ring
}

/// Who says something just before an event.
fn speaker(sim: &Sim<'_>, act: Act, who: u32) -> Option<u32> {
    match act {
        Act::Join | Act::Leave => Some(who),
        Act::Fail => clockwise(sim, who).into_iter().find(|&n| is_ready(sim, n)),
    }
}

/// One event, before `others` members go.
fn strike(sim: &mut Sim<'_>, act: Act, who: u32, others: usize, rng: &mut NodeRng) {
    if let Some(speaker) = speaker(sim, act, who) {
        let _ = sim.publish(speaker, None, payload(rng, 32));
    }
    match act {
        Act::Join => {
            let mut contacts = vec![who];
            contacts.extend(clockwise(sim, who).into_iter().take(others));
            sim.join(&contacts);
        }
        Act::Leave => drop(sim.leave(who)),
        Act::Fail => drop(sim.crash(who, false)),
    }
}
