//! The simulator: engines, a virtual clock, one queue.
//!
//! A run is driven from outside: make a [`Sim`], [`found`](Sim::found) a group, [`join`](Sim::join) others,
//! [`run_until`](Sim::run_until) a time, do something to the nodes, run on, and judge.

mod config;
mod dial;
mod event;
mod life;
mod link;
mod node;
mod publish;
mod step;
mod upset;

pub use config::{Make, SimConfig};
pub use life::Restart;
pub use node::{Status, Stored};
pub use publish::Unaccepted;

use std::sync::Arc;
use std::time::Duration;

use tertulia_core::auth::Auth;
use tertulia_core::engine::api::Output;
use tertulia_core::engine::{Engine, Planted};
use tertulia_core::id::PeerId;
use tertulia_core::peers::Addr;
use tertulia_core::rng::{NodeRng, mix};
use tertulia_core::time::Instant;

use crate::auth::{SimAuth, number, peer_id};
use crate::counters::Counters;
use crate::network::{Network, Paths};
use crate::oracle::Oracle;
use crate::queue::Queue;
use crate::tap::{Tap, Watch};

use event::Happening;
use node::Node;

/// How identities are made, where the plain [`SimAuth`] will not do.
pub type Wrap = Arc<dyn Fn(SimAuth) -> Box<dyn Auth> + Send + Sync>;

/// The key of all identities in the runs of a seed.
pub(crate) fn auth_key(seed: u64) -> u64 {
    mix(seed ^ 0x5eed)
}

/// A simulated group.
pub struct Sim<'a> {
    config: SimConfig,
    make: Make<'a>,
    now: Instant,
    queue: Queue<Happening>,
    nodes: Vec<Node>,
    /// Who runs, sorted.
    running: Vec<u32>,
    network: Network,
    paths: Paths,
    net_rng: NodeRng,
    work_rng: NodeRng,
    auth_key: u64,
    counters: Counters,
    oracle: Oracle,
    trace: u64,
    messages: u64,
    receiver: Option<u32>,
    last_activity: Instant,
    tap: Option<Box<dyn Tap>>,
    watch: Option<Box<dyn Watch>>,
    wrap: Option<Wrap>,
    planted: Option<Planted>,
    outputs: Vec<Output>,
    tapped: Vec<(tertulia_core::frame::Lane, tertulia_core::frame::Frame)>,
    bounds: Vec<(Instant, String)>,
}

impl<'a> Sim<'a> {
    /// A run of nobody yet. `make` builds the topology of each node.
    #[must_use]
    pub fn new(config: SimConfig, make: Make<'a>) -> Self {
        let seed = config.seed;
        Sim {
            make,
            now: Instant::ZERO,
            queue: Queue::new(),
            nodes: Vec::new(),
            running: Vec::new(),
            network: config.network.clone(),
            paths: Paths::default(),
            net_rng: NodeRng::fork(seed, 1),
            work_rng: NodeRng::fork(seed, 2),
            auth_key: auth_key(seed),
            counters: Counters::default(),
            oracle: Oracle::new(auth_key(seed)),
            trace: mix(seed),
            messages: 0,
            receiver: None,
            last_activity: Instant::ZERO,
            tap: None,
            watch: None,
            wrap: None,
            planted: None,
            outputs: Vec::new(),
            tapped: Vec::new(),
            bounds: Vec::new(),
            config,
        }
    }

    /// A copy of the whole run that goes on by itself, as this one would. A tap and a watch stay with this one.
    #[must_use]
    pub fn fork(&self) -> Sim<'a> {
        Sim {
            config: self.config.clone(),
            make: self.make,
            now: self.now,
            queue: self.queue.clone(),
            nodes: self.nodes.clone(),
            running: self.running.clone(),
            network: self.network.clone(),
            paths: self.paths.clone(),
            net_rng: self.net_rng.clone(),
            work_rng: self.work_rng.clone(),
            auth_key: self.auth_key,
            counters: self.counters.clone(),
            oracle: self.oracle.clone(),
            trace: self.trace,
            messages: self.messages,
            receiver: self.receiver,
            last_activity: self.last_activity,
            tap: None,
            watch: None,
            wrap: self.wrap.clone(),
            planted: self.planted,
            outputs: Vec::new(),
            tapped: Vec::new(),
            bounds: self.bounds.clone(),
        }
    }

    /// Puts a tap on every link.
    pub fn set_tap(&mut self, tap: Option<Box<dyn Tap>>) {
        self.tap = tap;
    }

    /// Has everything watched.
    pub fn set_watch(&mut self, watch: Option<Box<dyn Watch>>) {
        self.watch = watch;
    }

    /// Wraps the identities of nodes that start from now on.
    pub fn set_wrap(&mut self, wrap: Option<Wrap>) {
        self.wrap = wrap;
    }

    /// Builds a fault into the engines that start from now on.
    pub fn set_planted(&mut self, planted: Option<Planted>) {
        self.planted = planted;
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What the run was made with.
    #[must_use]
    pub fn config(&self) -> &SimConfig {
        &self.config
    }

    /// Depends on every event so far: the same seed and version give the same.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.trace
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The client's view so far.
    #[must_use]
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// Randomness for workloads and fault plans, apart from the network's.
    pub fn rng(&mut self) -> &mut NodeRng {
        &mut self.work_rng
    }

    /// Nodes that ever were.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// True when nobody ever was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The id of a node.
    #[must_use]
    pub fn id(&self, node: u32) -> PeerId {
        self.nodes.get(node as usize).map_or_else(|| peer_id(self.auth_key, node), |n| n.id)
    }

    /// The node with this id.
    #[must_use]
    pub fn node_of(&self, id: &PeerId) -> Option<u32> {
        let node = number(self.auth_key, id);
        self.nodes.get(node as usize).is_some_and(|n| n.id == *id).then_some(node)
    }

    /// Where a node can be dialled in its present or last run.
    #[must_use]
    pub fn addr(&self, node: u32) -> Addr {
        dial::addr(node, self.nodes.get(node as usize).map_or(0, |n| n.port))
    }

    /// What a node is doing.
    #[must_use]
    pub fn status(&self, node: u32) -> Status {
        self.nodes.get(node as usize).map_or(Status::Absent, |n| n.status)
    }

    /// True while a node processes nothing.
    #[must_use]
    pub fn is_frozen(&self, node: u32) -> bool {
        self.nodes.get(node as usize).is_some_and(|n| n.frozen)
    }

    /// The engine of a running node.
    #[must_use]
    pub fn engine(&self, node: u32) -> Option<&Engine> {
        self.nodes.get(node as usize)?.engine.as_deref()
    }

    /// What a node stored for its next run.
    #[must_use]
    pub fn stored(&self, node: u32) -> Option<&Stored> {
        self.nodes.get(node as usize).map(|n| &n.stored)
    }

    /// The code with which a node was refused in its last run, if it was.
    #[must_use]
    pub fn refused(&self, node: u32) -> Option<&'static str> {
        self.nodes.get(node as usize)?.refused
    }

    /// Since when a node has been leaving.
    #[must_use]
    pub fn leaving_since(&self, node: u32) -> Option<Instant> {
        let node = self.nodes.get(node as usize)?;
        (node.status == Status::Leaving).then_some(node.since)
    }

    /// When a running node became a member; `None` before.
    #[must_use]
    pub fn ready_at(&self, node: u32) -> Option<Instant> {
        self.nodes.get(node as usize)?.ready_at
    }

    /// Nodes that run, leaving ones included, in order.
    #[must_use]
    pub fn running(&self) -> &[u32] {
        &self.running
    }

    /// Nodes that run and do not leave, in order.
    pub fn members(&self) -> impl Iterator<Item = u32> {
        self.running.iter().copied().filter(|&n| self.status(n) == Status::Running)
    }

    /// True when every running node is a member.
    #[must_use]
    pub fn all_ready(&self) -> bool {
        self.members().all(|n| self.ready_at(n).is_some())
    }

    /// The nodes that `node` has links to, by both ends' belief now.
    pub fn linked(&self, node: u32) -> impl Iterator<Item = u32> {
        self.nodes
            .get(node as usize)
            .into_iter()
            .flat_map(|n| n.links.iter().filter(|l| l.up).map(|l| l.peer))
    }

    /// Messages that nodes have processed so far: frames other than probes, links up and down. Between them the
    /// explorer puts its events.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Who processed the last of them.
    #[must_use]
    pub fn receiver(&self) -> Option<u32> {
        self.receiver
    }

    /// When something of note last happened: an event for people, a link up or down, a delivery.
    #[must_use]
    pub fn last_activity(&self) -> Instant {
        self.last_activity
    }

    /// Something of note happens now.
    fn active(&mut self) {
        self.last_activity = self.now;
    }

    /// Events waiting in the queue.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Bounds that an engine broke, as they happened.
    #[must_use]
    pub fn bounds_broken(&self) -> &[(Instant, String)] {
        &self.bounds
    }

    /// The network's settings.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Runs for a while.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Runs until nothing of note happened for `calm`: no message, no event for people, no link up or down, no repair.
    /// False when `limit` passed first.
    pub fn run_until_quiet(&mut self, calm: Duration, limit: Duration) -> bool {
        let end = self.now + limit;
        self.last_activity = self.now;
        while self.now < end {
            let calm_at = self.last_activity + calm;
            if calm_at <= self.now {
                return true;
            }
            self.run_until(calm_at.min(end));
        }
        self.last_activity + calm <= self.now
    }

    /// Runs until `done` says so, asking every `step`; false when `limit` passed first.
    pub fn run_while(
        &mut self,
        step: Duration,
        limit: Duration,
        mut done: impl FnMut(&Sim<'a>) -> bool,
    ) -> bool {
        let end = self.now + limit;
        while !done(self) {
            if self.now >= end {
                return false;
            }
            self.run_until((self.now + step).min(end));
        }
        true
    }
}
