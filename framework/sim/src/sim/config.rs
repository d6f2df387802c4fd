//! What a run is made with.

use std::time::Duration;

use tertulia_core::config::EngineConfig;
use tertulia_core::topology::Topology;

use crate::network::Network;

/// Builds the topology of a node.
pub type Make<'a> = &'a dyn Fn(u32) -> Box<dyn Topology>;

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Everything random comes from it.
    pub seed: u64,
    /// The network at the start.
    pub network: Network,
    /// The engine's settings, the same for every node.
    pub engine: EngineConfig,
    /// Round trips that a connection and its handshake take before the dialler may send.
    pub handshake_trips: u32,
    /// How long a lost packet of a handshake waits before it is sent again.
    pub retransmit: Duration,
    /// True when a node that restarts listens at another address than before.
    pub new_port: bool,
    /// True when nicks are all the same, so that all but one are suffixed.
    pub same_nick: bool,
}

impl Default for SimConfig {
    fn default() -> Self {
        SimConfig {
            seed: 1,
            network: Network::default(),
            engine: EngineConfig::default(),
            handshake_trips: 2,
            retransmit: Duration::from_millis(200),
            new_port: false,
            same_nick: false,
        }
    }
}

impl SimConfig {
    /// The settings with another seed.
    #[must_use]
    pub fn seeded(&self, seed: u64) -> Self {
        SimConfig { seed, ..self.clone() }
    }
}

/// The wall clock at the virtual time zero: milliseconds since the Unix epoch.
pub(crate) const EPOCH_MS: u64 = 1_800_000_000_000;
