//! The engine: delivery, roster, failure detector and links of one node, around a topology plug-in.

pub mod api;

use std::sync::Arc;

use crate::auth::Auth;
use crate::config::EngineConfig;
use crate::id::{Incarnation, PeerId};
use crate::peers::{Addr, PeerTable};
use crate::time::Instant;
use crate::topology::{Topology, View};

use api::{Input, Output};

/// What an engine is made from.
pub struct Setup {
    /// Its settings.
    pub config: EngineConfig,
    /// Its identity.
    pub auth: Box<dyn Auth>,
    /// Its topology.
    pub topology: Box<dyn Topology>,
    /// The seed of its randomness.
    pub seed: u64,
    /// This run.
    pub incarnation: Incarnation,
    /// The group's epoch.
    pub epoch: u32,
    /// The nick asked for.
    pub nick: Arc<str>,
    /// True when another nick will not do.
    pub nick_explicit: bool,
    /// When the nick was claimed: milliseconds since the Unix epoch. Kept over restarts.
    pub claimed_at: u64,
    /// Where this node can be dialled.
    pub addrs: Vec<Addr>,
    /// The address book of earlier runs.
    pub book: Vec<(PeerId, Vec<Addr>)>,
}

/// One node's protocol state. Pure: it changes by [`handle`](Engine::handle) and [`on_deadline`](Engine::on_deadline)
/// only, and what it wants done waits in [`outputs`](Engine::outputs).
pub struct Engine {
    peers: PeerTable,
    topology: Box<dyn Topology>,
    outputs: Vec<Output>,
}

impl Engine {
    /// A node that knows nobody yet and waits for [`Input::Found`] or [`Input::Join`].
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Engine { peers: PeerTable::new(setup.auth.me()), topology: setup.topology, outputs: Vec::new() }
    }

    /// Something happened at `now`, which never goes back.
    pub fn handle(&mut self, now: Instant, input: Input) {
        let _ = (now, input);
    }

    /// When to call [`on_deadline`](Engine::on_deadline); the driver keeps exactly one wake-up per node.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// Time passed. Early or spurious calls are harmless.
    pub fn on_deadline(&mut self, now: Instant) {
        let _ = now;
    }

    /// What the engine wants done, in order; the driver drains it after every call.
    pub fn outputs(&mut self) -> &mut Vec<Output> {
        &mut self.outputs
    }

    /// True when the next [`Input::Publish`] to the group fits the window; otherwise the driver keeps it.
    #[must_use]
    pub fn can_publish(&self) -> bool {
        true
    }

    /// Everybody known.
    #[must_use]
    pub fn peers(&self) -> &PeerTable {
        &self.peers
    }

    /// The topology as seen from here.
    #[must_use]
    pub fn view(&self) -> View {
        self.topology.view(&self.peers)
    }
}
