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
pub use many::{FAILURES, Outcome, Topologies, run_many, seeds, seeds_to_catch};
pub use run::{RunReport, run_guarded, run_one, run_watched};
pub(crate) use run::{check, guard, payload};

use crate::invariants::{ALWAYS, Invariant, SETTLED};
use crate::network::{Latency, Network};
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

impl Campaign {
    /// A campaign that differs from seed to seed: 3 to 64 members (mostly few), latencies of all kinds, nodes that
    /// come back at their old address or at another.
    #[must_use]
    pub fn varied(faults: &Faults, seed: u64) -> Self {
        let ms = Duration::from_millis;
        let sizes = [3, 4, 5, 6, 8, 12, 16, 24, 5, 7, 32, 64];
        let latency = match seed % 3 {
            0 => Latency::Fixed(ms(10)),
            1 => Latency::Uniform(ms(1), ms(40)),
            _ => Latency::Pair { min: ms(2), max: ms(80), jitter: 0.2 },
        };
        let network = Network { latency, ..Network::default() };
        let sim = SimConfig { network, new_port: seed.is_multiple_of(5), ..SimConfig::default() };
        let nodes = sizes[(seed % sizes.len() as u64) as usize];
        Campaign { nodes, sim, faults: faults.clone(), ..Campaign::default() }
    }
}

impl fmt::Debug for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} nodes, {:?}, {:?}, planted {:?}", self.nodes, self.duration, self.faults, self.plant)
    }
}
