//! What goes wrong in a campaign: rates, and the dice.

use std::collections::BTreeMap;
use std::time::Duration;

use tertulia_core::rng::NodeRng;
use tertulia_core::time::Instant;

use crate::network::PartitionId;
use crate::sim::{Restart, Sim, Status};

/// Rates are per minute of virtual time and for the whole group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Crashes, each followed by a restart.
    pub churn: f64,
    /// How long a crashed node is down at most.
    pub downtime: Duration,
    /// Share of crashes that nobody is told of.
    pub silent: f64,
    /// Share of restarts that lost what was stored, beside the key.
    pub forget: f64,
    /// Graceful leaves for good.
    pub leaves: f64,
    /// Newcomers.
    pub joins: f64,
    /// Partitions into two.
    pub partitions: f64,
    /// How long a partition stands at most.
    pub partition: Duration,
    /// Nodes frozen.
    pub freezes: f64,
    /// How long a node is frozen at most.
    pub freeze: Duration,
    /// Links broken.
    pub breaks: f64,
    /// Ways cut, each for as long as a partition at most.
    pub cuts: f64,
    /// Share of frames lost.
    pub loss: f64,
    /// Share of frames doubled.
    pub duplicate: f64,
    /// Share of frames reordered.
    pub reorder: f64,
}

impl Faults {
    /// Nodes die and come back.
    #[must_use]
    pub fn churn() -> Self {
        let downtime = Duration::from_secs(8);
        Faults {
            churn: 12.0,
            downtime,
            silent: 0.3,
            forget: 0.2,
            leaves: 2.0,
            joins: 3.0,
            ..Faults::default()
        }
    }

    /// Frames are lost, doubled and out of order, links break.
    #[must_use]
    pub fn lossy() -> Self {
        Faults { loss: 0.05, duplicate: 0.01, reorder: 0.02, breaks: 6.0, ..Faults::default() }
    }

    /// Halves lose sight of each other.
    #[must_use]
    pub fn partitions() -> Self {
        let partition = Duration::from_secs(15);
        Faults { partitions: 6.0, partition, cuts: 6.0, ..Faults::default() }
    }

    /// Nodes stand still.
    #[must_use]
    pub fn freezes() -> Self {
        Faults { freezes: 9.0, freeze: Duration::from_secs(12), ..Faults::default() }
    }

    /// All of it.
    #[must_use]
    pub fn everything() -> Self {
        Faults {
            churn: 6.0,
            downtime: Duration::from_secs(8),
            partitions: 3.0,
            partition: Duration::from_secs(8),
            freezes: 3.0,
            freeze: Duration::from_secs(6),
            cuts: 3.0,
            loss: 0.03,
            ..Faults { leaves: 1.0, joins: 2.0, ..Faults::lossy() }
        }
    }

    /// The mixes above by name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "calm" => Faults::default(),
            "churn" => Faults::churn(),
            "lossy" => Faults::lossy(),
            "partitions" => Faults::partitions(),
            "freezes" => Faults::freezes(),
            "everything" => Faults::everything(),
            _ => return None,
        })
    }

    fn rates(&self) -> [(Kind, f64); 7] {
        [
            (Kind::Crash, self.churn),
            (Kind::Leave, self.leaves),
            (Kind::Join, self.joins),
            (Kind::Partition, self.partitions),
            (Kind::Freeze, self.freezes),
            (Kind::Break, self.breaks),
            (Kind::Cut, self.cuts),
        ]
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Crash,
    Leave,
    Join,
    Partition,
    Freeze,
    Break,
    Cut,
}

/// What will be undone.
#[derive(Clone, Copy, Debug)]
enum Undo {
    Restart(u32, bool),
    Heal(PartitionId),
    Thaw(u32),
    Mend(u32, u32),
}

/// The faults of one run as they come due.
pub(super) struct Trouble<'f> {
    faults: &'f Faults,
    rng: NodeRng,
    next: [Instant; 7],
    undo: BTreeMap<(Instant, u32), Undo>,
    numbered: u32,
    same_incarnation: bool,
}

impl<'f> Trouble<'f> {
    pub(super) fn new(faults: &'f Faults, seed: u64, start: Instant, same_incarnation: bool) -> Self {
        let mut rng = NodeRng::fork(seed, 7);
        let next = faults.rates().map(|(_, rate)| pause(&mut rng, rate, start));
        Trouble { faults, rng, next, undo: BTreeMap::new(), numbered: 0, same_incarnation }
    }

    /// When something happens next.
    pub(super) fn due(&self) -> Instant {
        let undo = self.undo.first_key_value().map_or(Instant::FAR, |((at, _), _)| *at);
        self.next.iter().copied().fold(undo, Instant::min)
    }

    /// Does what is due now.
    pub(super) fn strike(&mut self, sim: &mut Sim<'_>) {
        let now = sim.now();
        while let Some(entry) = self.undo.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let undo = entry.remove();
            self.undo(sim, undo);
        }
        for (i, (kind, rate)) in self.faults.rates().into_iter().enumerate() {
            if self.next[i] <= now {
                self.next[i] = pause(&mut self.rng, rate, now);
                self.cause(sim, kind);
            }
        }
    }

    /// Undoes everything that would be undone later, and ends what the network does.
    pub(super) fn end(&mut self, sim: &mut Sim<'_>) {
        sim.calm();
        while let Some((_, undo)) = self.undo.pop_first() {
            self.undo(sim, undo);
        }
        // Whoever found nobody is started again by its person, with the address of somebody who is there.
        for n in (0..sim.len()).filter(|&n| gave_up(sim, n) || sim.is_lost(n)).collect::<Vec<_>>() {
            let contacts = self.contacts(sim, n);
            sim.crash(n, false);
            sim.restart(n, &Restart { contacts, ..Restart::default() });
        }
    }

    fn undo(&mut self, sim: &mut Sim<'_>, undo: Undo) {
        match undo {
            Undo::Restart(n, forget) => {
                let contacts = if forget { self.contacts(sim, n) } else { Vec::new() };
                sim.restart(n, &Restart { forget, contacts, same_incarnation: self.same_incarnation });
            }
            Undo::Heal(id) => {
                sim.heal(id);
            }
            Undo::Thaw(n) => {
                sim.thaw(n);
            }
            Undo::Mend(a, b) => sim.mend(a, b),
        }
    }

    fn later(&mut self, now: Instant, most: Duration, undo: Undo) {
        let at = now + most.mul_f64(0.05 + 0.95 * self.rng.unit());
        self.numbered += 1;
        self.undo.insert((at, self.numbered), undo);
    }

    fn contacts(&mut self, sim: &Sim<'_>, except: u32) -> Vec<u32> {
        let mut ready: Vec<u32> =
            sim.members().filter(|&n| n != except && sim.ready_at(n).is_some()).collect();
        self.rng.shuffle(&mut ready);
        ready.truncate(8);
        ready
    }

    fn cause(&mut self, sim: &mut Sim<'_>, kind: Kind) {
        let now = sim.now();
        let live: Vec<u32> = sim.members().filter(|&n| !sim.is_frozen(n)).collect();
        let Some(&n) = self.rng.pick(&live) else { return };
        match kind {
            Kind::Crash if live.len() > 2 => {
                let silent = self.rng.chance(self.faults.silent);
                let forget = self.rng.chance(self.faults.forget);
                sim.crash(n, silent);
                self.later(now, self.faults.downtime, Undo::Restart(n, forget));
            }
            Kind::Leave if live.len() > 3 => {
                sim.leave(n);
            }
            Kind::Join => {
                let contacts = self.contacts(sim, n);
                sim.join(if contacts.is_empty() { std::slice::from_ref(&n) } else { &contacts });
            }
            Kind::Partition => {
                let all: Vec<u32> = (0..sim.len()).collect();
                let (mut one, mut other) = (Vec::new(), Vec::new());
                for &m in &all {
                    if self.rng.chance(0.5) { one.push(m) } else { other.push(m) }
                }
                let one_way = self.rng.chance(0.25);
                let id = sim.partition(&[one, other], one_way);
                self.later(now, self.faults.partition, Undo::Heal(id));
            }
            Kind::Freeze if live.len() > 2 => {
                sim.freeze(n);
                self.later(now, self.faults.freeze, Undo::Thaw(n));
            }
            Kind::Break => {
                let linked: Vec<u32> = sim.linked(n).collect();
                if let Some(&m) = self.rng.pick(&linked) {
                    sim.break_link(n, m);
                }
            }
            Kind::Cut => {
                if let Some(&m) = self.rng.pick(&live)
                    && m != n
                {
                    sim.cut(n, m);
                    self.later(now, self.faults.partition, Undo::Mend(n, m));
                }
            }
            _ => {}
        }
    }
}

/// The next of events that come independently at a rate per minute.
fn pause(rng: &mut NodeRng, rate: f64, now: Instant) -> Instant {
    if rate <= 0.0 {
        return Instant::FAR;
    }
    now + Duration::from_secs_f64(-(1.0 - rng.unit()).ln() * 60.0 / rate)
}

/// True when a node has ended because it found nobody.
fn gave_up(sim: &Sim<'_>, n: u32) -> bool {
    sim.status(n) == Status::Stopped && matches!(sim.refused(n), Some("unreachable" | "no-admission"))
}
