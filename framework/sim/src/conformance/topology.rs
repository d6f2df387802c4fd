//! The suite for topologies.
//!
//! | check | what it asks |
//! |---|---|
//! | `view` | the name is one, and views name only who is known |
//! | `alone` | a founder without anybody works and leaves |
//! | `joins in turn`, `joins at once` | newcomers become members through any member |
//! | `one nick for all` | nicks end up unique |
//! | `broadcast` | everything reaches everybody once, in order |
//! | `leaves` | the founder goes first, then half of the others; nothing is lost |
//! | `quiet` | after five quiet minutes a message arrives at once |
//! | `loss` | frames are lost, doubled, out of order; links break |
//! | `churn` | nodes die and come back with the same key, join and leave |
//! | `partition` | halves lose sight of each other and meet again |
//! | `frozen` | nodes stand still and go on |
//! | `garbage` | frames of its own kind that make no sense |
//! | `spurious deadlines` | wake-ups that nobody asked for |
//! | `determinism` | the same seed gives the same run |
//!
//! ```
//! use tertulia_sim::conformance::{FullMesh, topology};
//!
//! let options = topology::Options { nodes: 4, seeds: 1, ..topology::Options::default() };
//! let report = topology::topology(&|_node| Box::new(FullMesh::default()), &options);
//! println!("{report}");
//! ```

use std::time::Duration;

use tertulia_core::topology::Topology;

use super::{Report, cases};
use crate::campaign::guard;
use crate::invariants::{Invariant, SETTLED};
use crate::sim::SimConfig;

/// How the suite is run.
#[derive(Clone)]
pub struct Options {
    /// Members of a group.
    pub nodes: u32,
    /// Seeds per check that rolls dice.
    pub seeds: u64,
    /// The network, the engine and the first seed.
    pub sim: SimConfig,
    /// What must hold of a settled group; a topology may add to it.
    pub settled: Vec<Invariant>,
    /// How long a group has to settle.
    pub settle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            nodes: 8,
            seeds: 3,
            sim: SimConfig::default(),
            settled: SETTLED.to_vec(),
            settle: Duration::from_secs(90),
        }
    }
}

/// Runs the suite over the topology that `make` builds for each node.
#[must_use]
pub fn topology(make: &dyn Fn(u32) -> Box<dyn Topology>, options: &Options) -> Report {
    let mut report = Report::new(guard(|| make(0).kind()).unwrap_or("unknown"));
    for (name, case) in cases::ALL {
        let outcome = guard(|| case(make, options));
        report.check(name, outcome.unwrap_or_else(|panic| Err(format!("it panics: {panic}"))));
    }
    report
}
