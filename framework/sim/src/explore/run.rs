//! One run along a schedule: formed, struck by one event after another, judged. It can be copied anywhere on its way.

use std::time::Duration;

use tertulia_core::rng::NodeRng;

use super::Explorer;
use super::schedule::{Act, Schedule};
use crate::campaign::{Topologies, check, payload};
use crate::counters::Counters;
use crate::oracle::{Expect, Violation};
use crate::sim::{Make, Sim};
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
    let mut run = Run::form(explorer, schedule.start, schedule.seed, &factory, watch);
    for (i, place) in schedule.places.iter().enumerate() {
        run.wait(place.after);
        run.strike(&schedule.acts[i..], place.who);
    }
    run.judge()
}

/// A group on its way through a schedule.
pub(super) struct Run<'a> {
    explorer: &'a Explorer,
    pub(super) sim: Sim<'a>,
    /// What is said before an event.
    words: NodeRng,
    /// What was wrong with the group before the first event.
    violations: Vec<Violation>,
}

impl<'a> Run<'a> {
    /// Forms a group of `start` members.
    pub(super) fn form(
        explorer: &'a Explorer,
        start: u32,
        seed: u64,
        make: Make<'a>,
        watch: Option<Box<dyn Watch>>,
    ) -> Self {
        let mut sim = Sim::new(explorer.sim.seeded(seed), make);
        sim.set_watch(watch);
        let founder = sim.found();
        sim.join_many(start - 1, &[founder]);
        let mut run = Run { explorer, sim, words: NodeRng::fork(seed, 11), violations: Vec::new() };
        run.sim.run_while(Duration::from_millis(100), explorer.settle, |sim| is_whole(explorer, sim));
        run.violations = broken(explorer, &run.sim);
        run
    }

    /// The same run, to go another way.
    pub(super) fn fork(&self) -> Self {
        let (words, violations) = (self.words.clone(), self.violations.clone());
        Run { explorer: self.explorer, sim: self.sim.fork(), words, violations }
    }

    /// Runs to the place of the next event: so many messages on, or until all is quiet.
    pub(super) fn wait(&mut self, after: u64) {
        let settle = self.explorer.settle;
        match after {
            QUIET => drop(self.sim.run_until_quiet(CALM, settle)),
            after => drop(self.sim.run_messages(after, self.sim.now() + settle)),
        }
    }

    /// Lets the first of the events that are left strike at `who`.
    pub(super) fn strike(&mut self, left: &[Act], who: u32) {
        let Some((&act, rest)) = left.split_first() else { return };
        let sim = &mut self.sim;
        if let Some(speaker) = speaker(sim, act, who) {
            let _ = sim.publish(speaker, None, payload(&mut self.words, 32));
        }
        match act {
            Act::Join => {
                let others = rest.iter().filter(|act| **act != Act::Join).count();
                let mut contacts = vec![who];
                contacts.extend(clockwise(sim, who).into_iter().take(others));
                sim.join(&contacts);
            }
            Act::Leave => drop(sim.leave(who)),
            Act::Fail => drop(sim.crash(who, false)),
        }
    }

    /// Lets the group settle: what was broken, and what was done.
    pub(super) fn judge(mut self) -> (Vec<Violation>, Counters) {
        let explorer = self.explorer;
        let expect = Expect::default();
        let gone = |sim: &Sim<'_>| {
            sim.running().iter().all(|&n| sim.leaving_since(n).is_none() && !sim.is_publishing(n))
        };
        let complete = |sim: &Sim<'_>| {
            let correct: Vec<u32> = sim.members().collect();
            sim.oracle().is_complete(sim.now(), &correct, &expect)
        };
        let settled = |sim: &Sim<'_>| gone(sim) && is_whole(explorer, sim) && complete(sim);
        let mut violations = self.violations;
        if !self.sim.run_while(Duration::from_millis(250), explorer.settle, settled) {
            violations.extend(broken(explorer, &self.sim));
        }
        let correct: Vec<u32> = self.sim.members().collect();
        violations.extend(self.sim.oracle().judge(self.sim.now(), &correct, &expect).violations);
        (violations, self.sim.counters().clone())
    }
}

/// What is wrong with a group that should have settled.
fn broken(explorer: &Explorer, sim: &Sim<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    check(sim, &explorer.settled, &mut violations);
    violations
}

/// True when nothing is.
fn is_whole(explorer: &Explorer, sim: &Sim<'_>) -> bool {
    let mut violations = Vec::new();
    explorer.settled.iter().all(|invariant| {
        invariant(sim, &mut violations);
        violations.is_empty()
    })
}

fn is_ready(sim: &Sim<'_>, n: u32) -> bool {
    sim.ready_at(n).is_some()
}

/// At whom an event can strike now.
pub(super) fn targets(sim: &Sim<'_>, act: Act) -> Vec<u32> {
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
pub(super) fn speaker(sim: &Sim<'_>, act: Act, who: u32) -> Option<u32> {
    match act {
        Act::Join | Act::Leave => Some(who),
        Act::Fail => clockwise(sim, who).into_iter().find(|&n| is_ready(sim, n)),
    }
}
