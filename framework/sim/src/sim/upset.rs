//! What is done to nodes and the network between them: freezing, partitions, cuts, slowness.

use super::Sim;
use super::event::{Happening, Knock};
use crate::network::{Network, PartitionId};

impl Sim<'_> {
    /// Counts a fault and tells the watch.
    pub(super) fn fault(&mut self, kind: &'static str, node: Option<u32>) {
        self.counters.fault(kind);
        self.active();
        if let Some(watch) = &mut self.watch {
            watch.fault(self.now, kind, node);
        }
        let label = kind.bytes().fold(0u64, |h, b| h.rotate_left(7) ^ u64::from(b));
        self.note(11, label, node.map_or(u64::MAX, u64::from));
    }

    /// Stops a node as if its process had been suspended: it processes nothing, its host keeps what arrives.
    pub fn freeze(&mut self, n: u32) -> bool {
        if !self.status(n).runs() || self.is_frozen(n) {
            return false;
        }
        self.fault("freeze", Some(n));
        self.nodes[n as usize].frozen = true;
        true
    }

    /// Lets a frozen node go on: it finds what arrived, and its timers are late.
    pub fn thaw(&mut self, n: u32) -> bool {
        if !self.is_frozen(n) {
            return false;
        }
        self.note(12, u64::from(n), 0);
        self.nodes[n as usize].frozen = false;
        // A driver that wakes up may look at its clock or at its links first; both must do.
        if self.net_rng.chance(0.5) {
            self.late(n);
        }
        let mut backlog = std::mem::take(&mut self.nodes[n as usize].backlog);
        for arrival in backlog.drain(..) {
            self.process(n, arrival);
        }
        self.late(n);
        true
    }

    /// A deadline that passed while a node was frozen.
    fn late(&mut self, n: u32) {
        let now = self.now;
        let node = &mut self.nodes[n as usize];
        if node.wake.is_some_and(|at| at < now) {
            node.wake = None;
        }
        if let Some(engine) = node.engine.as_mut()
            && engine.next_deadline().is_some_and(|d| d <= now)
        {
            engine.on_deadline(now);
        }
        self.settle(n);
    }

    /// Wakes an engine although nothing is due; harmless by contract.
    pub fn nudge(&mut self, n: u32) {
        if self.is_frozen(n) {
            return;
        }
        let now = self.now;
        let Some(engine) = self.nodes.get_mut(n as usize).and_then(|node| node.engine.as_mut()) else {
            return;
        };
        engine.on_deadline(now);
        self.counters.fault("nudge");
        self.settle(n);
    }

    /// A dial that reached a frozen host expires at the dialler, unless the host thaws in time.
    pub(super) fn expire_knock(&mut self, knock: &Knock) {
        self.dial_times_out(knock.from, knock.dial);
    }

    /// Separates the sides from each other.
    pub fn partition(&mut self, sides: &[Vec<u32>], one_way: bool) -> PartitionId {
        self.fault("partition", None);
        self.paths.partition(sides, one_way)
    }

    /// Ends a partition.
    pub fn heal(&mut self, id: PartitionId) -> bool {
        self.note(13, 0, 0);
        self.paths.heal(id)
    }

    /// Cuts the way between two nodes.
    pub fn cut(&mut self, a: u32, b: u32) {
        self.fault("cut", Some(a));
        self.paths.cut(a, b);
    }

    /// Mends a cut.
    pub fn mend(&mut self, a: u32, b: u32) {
        self.paths.mend(a, b);
    }

    /// Multiplies the latencies of a node; 1 ends it.
    pub fn slow(&mut self, n: u32, factor: f64) {
        if factor != 1.0 {
            self.fault("slow", Some(n));
        }
        self.paths.slow(n, factor);
    }

    /// Breaks every link between two nodes, as a transport that fails: both ends are told.
    pub fn break_link(&mut self, a: u32, b: u32) -> bool {
        let links: Vec<(u32, u32)> = self.nodes.get(a as usize).map_or_else(Vec::new, |n| {
            n.links.iter().filter(|e| e.peer == b).map(|e| (e.id, e.peer_id)).collect()
        });
        for &(here, there) in &links {
            self.fault("break", Some(a));
            self.break_end(a, here);
            self.break_end(b, there);
        }
        !links.is_empty()
    }

    fn break_end(&mut self, n: u32, link: u32) {
        use super::event::Arrival;
        use tertulia_core::engine::api::Down;
        let arrival = Arrival::LinkDown { link, reason: Down::Failed };
        self.queue.push(self.now, Happening::At(n, arrival));
    }

    /// Changes the network from now on.
    pub fn set_network(&mut self, network: Network) {
        self.fault("network", None);
        self.network = network;
    }

    /// Ends loss, duplication, reordering, partitions, cuts and slowness, and thaws everybody.
    pub fn calm(&mut self) {
        self.network = self.network.healed();
        self.paths.clear();
        for n in self.running.clone() {
            self.thaw(n);
        }
    }
}
