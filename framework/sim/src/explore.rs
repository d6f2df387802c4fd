//! Small groups, systematically: every order of up to three joins, leaves and failures on up to five nodes, each
//! event at every message boundary of what the event before it set going.
//!
//! For two events every boundary is tried. For three the two boundaries form a square; every row and every column
//! of it is visited, and [`Explorer::rounds`] says how often. Who joins through whom, leaves or fails is drawn anew
//! for each schedule.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tertulia_core::rng::NodeRng;

use crate::campaign::{Topologies, check, guard, payload};
use crate::counters::Counters;
use crate::invariants::{Invariant, SETTLED};
use crate::oracle::{Expect, Violation};
use crate::sim::{Sim, SimConfig};
use crate::tap::Watch;

/// What can be done to a small group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Somebody new comes.
    Join,
    /// A member leaves in good order.
    Leave,
    /// A member's process dies.
    Fail,
}

const ACTS: [Act; 3] = [Act::Join, Act::Leave, Act::Fail];

/// Members at most.
const NODES: usize = 5;
/// Boundaries tried after one event at most.
const BOUNDARIES: u64 = 2_000;

/// What is explored.
#[derive(Clone)]
pub struct Explorer {
    /// The network, the engine and the first seed.
    pub sim: SimConfig,
    /// Members at the start: all sizes up to this, at most five.
    pub start: u32,
    /// Events at most, at most three.
    pub events: usize,
    /// How often every boundary of either of two later events is tried.
    pub rounds: u64,
    /// Tries every `stride`th boundary only; 1: all.
    pub stride: u64,
    /// How long a group has to settle.
    pub settle: Duration,
    /// What must hold then.
    pub settled: Vec<Invariant>,
}

impl Default for Explorer {
    fn default() -> Self {
        Explorer {
            sim: SimConfig::default(),
            start: 4,
            events: 3,
            rounds: 1,
            stride: 1,
            settle: Duration::from_secs(60),
            settled: SETTLED.to_vec(),
        }
    }
}

/// One schedule: how many members, what happens, and how many messages are processed before each next event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Members at the start.
    pub start: u32,
    /// The events.
    pub acts: Vec<Act>,
    /// Messages processed between one event and the next.
    pub after: Vec<u64>,
    /// The seed of the run and of who is meant.
    pub seed: u64,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Schedules run.
    pub schedules: u64,
    /// Everything that was done and sent.
    pub counters: Counters,
    /// The schedules in which something was broken, the first hundred.
    pub failures: Vec<(Schedule, Vec<Violation>)>,
    /// How many there were.
    pub failed: u64,
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} schedules, {} failed; {}", self.schedules, self.failed, self.counters)?;
        for (schedule, violations) in self.failures.iter().take(10) {
            writeln!(f, "{schedule:?}")?;
            violations.iter().take(6).try_for_each(|v| writeln!(f, "  {v}"))?;
        }
        Ok(())
    }
}

/// Runs all schedules on `threads` threads.
#[must_use]
pub fn explore(explorer: &Explorer, threads: usize, make: Topologies<'_>) -> Explored {
    let orders = orders(explorer);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some((start, acts)) = orders.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.push(explore_order(explorer, *start, acts, make));
        }
        found
    };
    let parts: Vec<Explored> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|w| w.join().unwrap_or_default()).collect()
    });
    let mut all = Explored::default();
    for part in parts {
        all.schedules += part.schedules;
        all.failed += part.failed;
        all.counters.add(&part.counters);
        all.failures.extend(part.failures);
    }
    all.failures.sort_by_key(|(s, _)| (s.start, s.acts.len(), s.after.clone(), s.seed));
    all.failures.truncate(100);
    all
}

/// Every order of events that makes sense: nobody leaves a group of one, nobody joins a group of five.
fn orders(explorer: &Explorer) -> Vec<(u32, Vec<Act>)> {
    let mut out = Vec::new();
    for start in 1..=explorer.start.min(NODES as u32) {
        let mut todo = vec![(start as usize, Vec::new())];
        while let Some((size, acts)) = todo.pop() {
            if acts.len() < explorer.events.min(3) {
                for act in ACTS {
                    let after = match act {
                        Act::Join if size < NODES => size + 1,
                        Act::Leave | Act::Fail if size > 1 => size - 1,
                        _ => continue,
                    };
                    todo.push((after, [&acts[..], &[act]].concat()));
                }
            }
            if !acts.is_empty() {
                out.push((start, acts));
            }
        }
    }
    out
}

fn explore_order(explorer: &Explorer, start: u32, acts: &[Act], make: Topologies<'_>) -> Explored {
    let mut found = Explored::default();
    let mut seed = explorer.sim.seed;
    let mut run = |after: Vec<u64>| {
        seed += 1;
        let schedule = Schedule { start, acts: acts.to_vec(), after, seed };
        let (violations, messages) = match guard(|| run_schedule(explorer, &schedule, make)) {
            Ok((violations, counters, messages)) => {
                found.counters.add(&counters);
                (violations, messages)
            }
            Err(detail) => {
                let at = tertulia_core::time::Instant::ZERO;
                (vec![Violation { at, invariant: "panic", detail }], Vec::new())
            }
        };
        found.schedules += 1;
        if !violations.is_empty() {
            found.failed += 1;
            found.failures.push((schedule, violations));
        }
        messages
    };
    // Once with each event after the last has settled, to learn how many boundaries there are.
    let counts = run(vec![u64::MAX; acts.len() - 1]);
    let bound = |i: usize| counts.get(i).copied().unwrap_or(0).min(BOUNDARIES) + 1;
    let step = explorer.stride.max(1) as usize;
    match acts.len() {
        2 => (0..bound(0)).step_by(step).for_each(|k| drop(run(vec![k]))),
        3 => {
            let (rows, columns) = (bound(0), bound(1));
            for round in 0..explorer.rounds {
                for i in (0..rows.max(columns)).step_by(step) {
                    // A stride that shares no factor with the sides visits every row and column.
                    run(vec![i % rows, (i * 7 + round * 13) % columns]);
                }
            }
        }
        _ => {}
    }
    found
}

/// Runs one schedule: what was broken, and how many messages followed each event until all was quiet (where the
/// schedule waited so long).
#[must_use]
pub fn run_schedule(
    explorer: &Explorer,
    schedule: &Schedule,
    make: Topologies<'_>,
) -> (Vec<Violation>, Counters, Vec<u64>) {
    run_watched(explorer, schedule, make, None)
}

/// The same, watched.
#[must_use]
pub fn run_watched(
    explorer: &Explorer,
    schedule: &Schedule,
    make: Topologies<'_>,
    watch: Option<Box<dyn Watch>>,
) -> (Vec<Violation>, Counters, Vec<u64>) {
    const CALM: Duration = Duration::from_secs(1);
    let seed = schedule.seed;
    let factory = |node| make(seed, node);
    let mut sim = Sim::new(explorer.sim.seeded(seed), &factory);
    sim.set_watch(watch);
    let mut rng = NodeRng::fork(seed, 11);
    let founder = sim.found();
    sim.join_many(schedule.start - 1, &[founder]);
    let mut violations = Vec::new();
    let formed = |sim: &Sim<'_>| {
        let mut v = Vec::new();
        check(sim, &explorer.settled, &mut v);
        v.is_empty()
    };
    if !sim.run_while(Duration::from_millis(100), explorer.settle, formed) {
        check(&sim, &explorer.settled, &mut violations);
    }
    sim.run_until_quiet(CALM, explorer.settle);
    let mut counts = Vec::new();
    for (i, &act) in schedule.acts.iter().enumerate() {
        strike(&mut sim, act, &mut rng);
        match schedule.after.get(i) {
            Some(&u64::MAX) => {
                let before = sim.messages();
                sim.run_until_quiet(CALM, explorer.settle);
                counts.push(sim.active_messages().saturating_sub(before));
            }
            Some(&k) => {
                let limit = sim.now() + explorer.settle;
                sim.run_messages(k, limit);
            }
            None => {}
        }
    }
    let expect = Expect::default();
    let settled = |sim: &Sim<'_>| {
        let correct: Vec<u32> = sim.members().collect();
        let gone = sim.running().iter().all(|&n| sim.leaving_since(n).is_none() && !sim.is_publishing(n));
        gone && formed(sim) && sim.oracle().is_complete(sim.now(), &correct, &expect)
    };
    sim.run_while(Duration::from_millis(250), explorer.settle, settled);
    check(&sim, &explorer.settled, &mut violations);
    let correct: Vec<u32> = sim.members().collect();
    violations.extend(sim.oracle().judge(sim.now(), &correct, &expect).violations);
    (violations, sim.counters().clone(), counts)
}

/// One event, and a message of somebody just before it. Nobody goes before somebody else is a member: newcomers
/// would be left alone with addresses at which nobody answers.
fn strike(sim: &mut Sim<'_>, act: Act, rng: &mut NodeRng) {
    let ready = |sim: &Sim<'_>| sim.members().filter(|&n| sim.ready_at(n).is_some()).count();
    let limit = sim.now() + Duration::from_secs(10);
    while act != Act::Join && ready(sim) < 2 && sim.now() < limit {
        sim.run_messages(1, limit);
    }
    let mut members: Vec<u32> = sim.members().collect();
    rng.shuffle(&mut members);
    if let Some(&speaker) = members.iter().find(|&&n| sim.ready_at(n).is_some()) {
        let _ = sim.publish(speaker, None, payload(rng, 32));
    }
    rng.shuffle(&mut members);
    match (act, &members[..]) {
        (Act::Join, contacts) => {
            sim.join(contacts);
        }
        (Act::Leave, [n, _, ..]) => {
            sim.leave(*n);
        }
        (Act::Fail, [n, _, ..]) => {
            sim.crash(*n, false);
        }
        _ => {}
    }
}
