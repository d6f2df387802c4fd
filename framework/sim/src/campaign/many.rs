//! Many seeds, on many threads; the result does not depend on how many.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tertulia_core::topology::Topology;

use super::{Campaign, RunReport, run_guarded};
use crate::counters::Counters;
use crate::oracle::Tally;

/// Builds the topology of a node in the run of a seed.
pub type Topologies<'a> = &'a (dyn Fn(u64, u32) -> Box<dyn Topology> + Sync);

/// What a campaign showed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Runs made.
    pub runs: u64,
    /// Everything that was done and sent, over all runs.
    pub counters: Counters,
    /// What became of the messages.
    pub tally: Tally,
    /// The longest that a group took to settle.
    pub settled_after: Duration,
    /// Trace hashes of all runs, folded in seed order.
    pub trace_hash: u64,
    /// The runs in which something was broken, in seed order; at most [`FAILURES`] of them.
    pub failures: Vec<RunReport>,
    /// How many there were.
    pub failed: u64,
}

/// Failed runs that an outcome keeps.
pub const FAILURES: usize = 20;

impl Outcome {
    /// True when nothing was broken in any run.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed == 0
    }

    fn add(&mut self, run: RunReport) {
        self.runs += 1;
        self.counters.add(&run.counters);
        self.tally.add(&run.verdict.tally);
        self.settled_after = self.settled_after.max(run.settled_after.unwrap_or_default());
        self.trace_hash = tertulia_core::rng::mix(self.trace_hash ^ run.trace_hash);
        if !run.is_clean() {
            self.failed += 1;
            if self.failures.len() < FAILURES {
                self.failures.push(run);
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { runs, failed, tally, settled_after, .. } = self;
        writeln!(f, "{runs} runs, {failed} failed: {tally}, settled after {settled_after:?} at most")?;
        writeln!(f, "{}", self.counters)?;
        self.failures.iter().try_for_each(|run| write!(f, "{run}"))
    }
}

/// How many seeds a campaign in a test runs: `usual`, or what `TERTULIA_SEEDS` says.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "how many runs there are is no input of a run")]
pub fn seeds(usual: u64) -> u64 {
    std::env::var("TERTULIA_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Runs every seed of a range, `plan` saying what is done in each.
#[must_use]
pub fn run_many(
    seeds: Range<u64>,
    threads: usize,
    plan: &(dyn Fn(u64) -> Campaign + Sync),
    make: Topologies<'_>,
) -> Outcome {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut runs = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return runs;
            }
            runs.push(run_guarded(&plan(seed), seed, &|node| make(seed, node)));
        }
    };
    let mut runs: Vec<RunReport> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    runs.sort_by_key(|r| r.seed);
    let missing = seeds.end.saturating_sub(seeds.start).saturating_sub(runs.len() as u64);
    let mut outcome = Outcome { failed: missing, ..Outcome::default() };
    runs.into_iter().for_each(|run| outcome.add(run));
    outcome
}

/// Runs seeds one after another until one shows something broken; how many that took, and that run.
#[must_use]
pub fn seeds_to_catch(
    seeds: Range<u64>,
    plan: &(dyn Fn(u64) -> Campaign + Sync),
    make: Topologies<'_>,
) -> Option<(u64, RunReport)> {
    let first = seeds.start;
    let mut runs = seeds.map(|seed| run_guarded(&plan(seed), seed, &|node| make(seed, node)));
    runs.find(|run| !run.is_clean()).map(|run| (run.seed - first + 1, run))
}
