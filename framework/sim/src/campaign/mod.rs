//! Campaigns: many seeds of random faults over the same group.
//!
//! A run has four phases. The group **forms**. In the **safety** phase messages flow while nodes crash, freeze and are
//! cut off; what must never happen is looked for. Then everything **heals**: faults end, those that were down come back.
//! After **settling**, liveness is judged: everything arrived, all agree, and one more message from everybody reaches
//! everybody.

mod faults;
mod many;
mod run;

use std::fmt;
use std::time::Duration;

pub use faults::Faults;
pub use many::{FAILURES, Outcome, Topologies, run_many, seeds_to_catch};
pub use run::{RunReport, run_guarded, run_one, run_watched};
pub(crate) use run::{check, guard, payload};

use crate::invariants::{ALWAYS, Invariant, SETTLED};
use crate::oracle::Expect;
use crate::planted::Plant;
use crate::sim::SimConfig;

/// What is done in every run of a campaign.
#[derive(Clone)]
pub struct Campaign {
    /// Members at the start.
    pub nodes: u32,
    /// The network and the engine; the seed comes from the run.
    pub sim: SimConfig,
    /// What goes wrong.
    pub faults: Faults,
    /// How long messages flow and things go wrong.
    pub duration: Duration,
    /// How long the group has to settle afterwards.
    pub settle: Duration,
    /// Messages per second, of all members together.
    pub rate: f64,
    /// Bytes of a message: from, to.
    pub size: (usize, usize),
    /// Share of messages to one member.
    pub direct: f64,
    /// What may be missing.
    pub expect: Expect,
    /// Must hold at every moment.
    pub always: Vec<Invariant>,
    /// Must hold in the end.
    pub settled: Vec<Invariant>,
    /// A bug put in on purpose.
    pub plant: Option<Plant>,
}

impl Default for Campaign {
    fn default() -> Self {
        Campaign {
            nodes: 8,
            sim: SimConfig::default(),
            faults: Faults::default(),
            duration: Duration::from_secs(20),
            settle: Duration::from_secs(60),
            rate: 20.0,
            size: (16, 512),
            direct: 0.1,
            expect: Expect::default(),
            always: ALWAYS.to_vec(),
            settled: SETTLED.to_vec(),
            plant: None,
        }
    }
}

impl fmt::Debug for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} nodes, {:?}, {:?}, planted {:?}", self.nodes, self.duration, self.faults, self.plant)
    }
}
