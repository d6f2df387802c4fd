//! Small groups, exhaustively: every order of up to three joins, leaves and failures on up to five nodes, each event
//! at every message boundary of what went before.
//!
//! # What is enumerated
//!
//! 1. **Groups** of one to five settled members, and every **order** of one to three events that never makes a group
//!    larger than five or empty ([`orders`]).
//! 2. **Who**: for a leave or a failure every member that runs, newcomers that are not in yet included, as long as
//!    another one is a member; for a join every member to ask, and every place in the order of ids for the newcomer.
//!    Groups that differ in a rotation only are one: the first to go is node 0, the first newcomer, when it is the
//!    first event, comes between the last member and node 0. Places in the order of ids are had by choosing the seed.
//! 3. **When**: the first event strikes a settled group. Every later one strikes at every boundary between two
//!    messages that any node processes after the event before it, from at once until the group has been quiet for
//!    [`CALM`], and once when it is quiet. Links that come up and go down are messages too; the detector's probes are
//!    not, for nobody dies in silence here.
//!
//! Two boundaries are one for an event when neither time passes between them nor a node that takes part in the event
//! processes anything: what happens at two nodes at the same moment happens in either order. That leaves out nothing
//! but the order in which frames sent by two nodes at the same moment reach a third.
//!
//! Before each event somebody says something, so that messages are on their way when members go: whoever leaves,
//! whoever is asked by a newcomer, and the next member clockwise of one that fails. In the end the group has to be
//! as every settled group is, and all messages have to be where they belong.
//!
//! A newcomer is given one address more than members go after it came, as far as there are members, those on their way
//! in included: with fewer it could be left alone with addresses at which nobody answers, with more it would hardly
//! depend on whom it asks.
//!
//! # How much of it
//!
//! What schedules have in common is run once, on copies of the group, and yet the whole takes an hour of one core or so
//! for each topology ([`Explorer::every`] 1): the example `explore` runs it on many threads, in pieces if need be.
//! [`run_schedule`] runs one of them from the founding. Tests take a sample, every place of every event in turn;
//! `TERTULIA_EXPLORE=1` has them do the whole.

mod orders;
mod run;
mod schedule;
mod walk;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::campaign::Topologies;
use crate::counters::Counters;
use crate::invariants::{Invariant, SETTLED};
use crate::oracle::Violation;
use crate::sim::SimConfig;

use orders::Opening;
pub use orders::{NODES, orders};
pub use run::{CALM, run_schedule};
pub use schedule::{Act, BadSchedule, Place, Schedule};
use walk::Walk;

/// Failed schedules that are kept.
const FAILURES: usize = 100;

/// What is explored.
#[derive(Clone)]
pub struct Explorer {
    /// The network, the engine and the first seed.
    pub sim: SimConfig,
    /// Members at the start: all sizes up to this, at most five.
    pub start: u32,
    /// Events at most, at most three.
    pub events: usize,
    /// Tries one of so many places of each event after the first; 1: all.
    pub every: u64,
    /// Which piece of how many is run: parts of about the same size that together are all there is.
    pub piece: (u64, u64),
    /// How long a group has to settle.
    pub settle: Duration,
    /// What must hold then.
    pub settled: Vec<Invariant>,
}

impl Default for Explorer {
    fn default() -> Self {
        Explorer {
            sim: SimConfig::default(),
            start: NODES,
            events: 3,
            every: 1,
            piece: (0, 1),
            settle: Duration::from_secs(60),
            settled: SETTLED.to_vec(),
        }
    }
}

/// One place of how many a test tries: `usual`, or what `TERTULIA_EXPLORE` says; 1 is the whole.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "how many runs there are is no input of a run")]
pub fn every(usual: u64) -> u64 {
    std::env::var("TERTULIA_EXPLORE").ok().and_then(|n| n.parse().ok()).unwrap_or(usual).max(1)
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Schedules judged.
    pub schedules: u64,
    /// Everything that was done and sent in them.
    pub counters: Counters,
    /// The schedules in which something was broken, the first hundred.
    pub failures: Vec<(Schedule, Vec<Violation>)>,
    /// How many there were.
    pub failed: u64,
}

impl Explored {
    fn add(&mut self, other: Explored) {
        self.schedules += other.schedules;
        self.failed += other.failed;
        self.counters.add(&other.counters);
        self.failures.extend(other.failures);
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} schedules, {} failed; {}", self.schedules, self.failed, self.counters)?;
        for (schedule, violations) in self.failures.iter().take(10) {
            writeln!(f, "schedule {schedule}")?;
            violations.iter().take(6).try_for_each(|v| writeln!(f, "  {v}"))?;
        }
        Ok(())
    }
}

/// Runs all schedules on `threads` threads.
#[must_use]
pub fn explore(explorer: &Explorer, threads: usize, make: Topologies<'_>) -> Explored {
    let mut openings = orders::openings(explorer);
    openings.sort_by_key(Opening::group);
    let groups: Vec<&[Opening]> = openings.chunk_by(|a, b| a.group() == b.group()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut walk = Walk { explorer, make, found: Explored::default() };
        while let Some(openings) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
            walk.group(openings);
        }
        walk.found
    };
    let mut all = Explored::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .for_each(|w| all.add(w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
    });
    all.failures.sort_by(|(a, _), (b, _)| a.cmp(b));
    all.failures.truncate(FAILURES);
    all
}
