//! Electors, a clock, and a network that loses, delays and cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tertulia_core::auth::{Auth, Signature};
use tertulia_core::id::{Digest, PeerId, SealKey};
use tertulia_core::rng::{NodeRng, mix};
use tertulia_core::time::Instant;
use tertulia_topologies::election::{Effect, Election, Io, Message, Settings};

use super::watch::Watch;

/// Signatures by a hash: everybody could forge them, nobody here does.
struct HashAuth(PeerId);

fn hash(seed: u64, parts: &[&[u8]]) -> u64 {
    let word = |c: &[u8]| c.iter().fold(c.len() as u64, |w, &b| w << 8 | u64::from(b));
    parts.iter().flat_map(|p| p.chunks(8)).fold(seed, |h, c| mix(h ^ word(c)))
}

impl Auth for HashAuth {
    fn me(&self) -> PeerId {
        self.0
    }
    fn seal_key(&self) -> SealKey {
        SealKey::default()
    }
    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut out = [0; 32];
        out[..8].copy_from_slice(&hash(1, parts).to_le_bytes());
        Digest(out)
    }
    fn sign(&self, digest: &Digest) -> Signature {
        let mut out = [0; 64];
        out[..8].copy_from_slice(&hash(2, &[&self.0.0, &digest.0]).to_le_bytes());
        out
    }
    fn verify(&self, who: &PeerId, digest: &Digest, signature: &Signature) -> bool {
        *signature == HashAuth(*who).sign(digest)
    }
    fn seal(&self, _: &SealKey, _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn open(&self, _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// When to kill whoever is about to win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// After it has asked for votes.
    Asked,
    /// After it has won and before it has told anybody.
    Won,
}

pub(crate) struct Node {
    pub(crate) election: Option<Election>,
    stored: Option<Bytes>,
    /// Others hold it for a member.
    pub(crate) present: bool,
    /// It said goodbye.
    pub(crate) left: bool,
    wake: Option<Instant>,
}

enum Event {
    Message(usize, usize, Message),
    Wake(usize, Instant),
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) settings: Settings,
    pub(crate) watch: Watch,
    pub(crate) rng: NodeRng,
    pub(crate) loss: f64,
    /// Ways on which nothing arrives.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    pub(crate) trap: Option<Trap>,
    pub(crate) trapped: Option<usize>,
    queue: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    effects: Vec<Effect>,
}

pub(crate) fn id(node: usize) -> PeerId {
    let mut id = [7; 32];
    id[..8].copy_from_slice(&mix(node as u64 + 1).to_be_bytes());
    id[31] = node as u8;
    PeerId(id)
}

fn node_of(id: &PeerId) -> usize {
    usize::from(id.0[31])
}

impl World {
    /// A group of `n`, the first of which founds it.
    pub(crate) fn new(settings: Settings, n: usize, seed: u64) -> Self {
        let node = |_| Node { election: None, stored: None, present: true, left: false, wake: None };
        let mut world = World {
            now: Instant::from_millis(1),
            nodes: (0..n).map(node).collect(),
            settings,
            watch: Watch::new(settings),
            rng: NodeRng::fork(seed, 1),
            loss: 0.0,
            cut: BTreeSet::new(),
            trap: None,
            trapped: None,
            queue: BTreeMap::new(),
            sequence: 0,
            effects: Vec::new(),
        };
        (0..n).for_each(|node| world.start(node));
        world.call(0, Election::found);
        world
    }

    /// Starts a node with what it has stored.
    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].election.is_none() {
            let stored = self.nodes[node].stored.clone();
            self.nodes[node].election = Some(Election::new(id(node), self.settings, stored.as_deref()));
            self.call(node, Election::start);
            self.tell_members(node);
        }
    }

    pub(crate) fn crash(&mut self, node: usize) {
        self.nodes[node].election = None;
        self.nodes[node].wake = None;
        self.watch.stands(self.now, node, None);
    }

    /// Says goodbye and ends.
    pub(crate) fn leave(&mut self, node: usize) {
        self.call(node, Election::retire);
        self.crash(node);
        self.nodes[node].left = true;
        self.set_present(node, false);
    }

    pub(crate) fn come_back(&mut self, node: usize) {
        self.nodes[node].left = false;
        self.start(node);
        self.set_present(node, true);
    }

    pub(crate) fn set_present(&mut self, node: usize, present: bool) {
        self.nodes[node].present = present;
        (0..self.nodes.len()).for_each(|node| self.tell_members(node));
    }

    fn tell_members(&mut self, node: usize) {
        let of = |what: fn(&Node) -> bool| -> BTreeSet<PeerId> {
            (0..self.nodes.len()).filter(|&i| what(&self.nodes[i])).map(id).collect()
        };
        let (present, left) = (of(|n| n.present), of(|n| n.left));
        self.call(node, |election, io| election.set_members(io, present, left));
    }

    pub(crate) fn up(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&n| self.nodes[n].election.is_some()).collect()
    }

    fn push(&mut self, at: Instant, event: Event) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), event);
    }

    pub(crate) fn call(&mut self, node: usize, f: impl FnOnce(&mut Election, &mut Io<'_>)) {
        let Some(mut election) = self.nodes[node].election.take() else { return };
        let mut out = std::mem::take(&mut self.effects);
        let auth = HashAuth(id(node));
        let led = election.is_leader();
        f(&mut election, &mut Io { now: self.now, rng: &mut self.rng, auth: &auth, out: &mut out });
        let won = !led && election.is_leader();
        let asked = election.stands_with().is_some();
        let leads = election.is_leader().then(|| election.ballot());
        self.nodes[node].election = Some(election);
        if self.trap == Some(Trap::Won) && won {
            out.retain(|effect| matches!(effect, Effect::Persist(_)));
        }
        self.watch.stands(self.now, node, leads);
        for effect in out.drain(..) {
            match effect {
                Effect::Persist(bytes) => self.nodes[node].stored = Some(bytes),
                Effect::Send(to, message) => self.send(node, node_of(&to), message),
            }
        }
        self.effects = out;
        if (self.trap == Some(Trap::Won) && won) || (self.trap == Some(Trap::Asked) && asked) {
            self.trap = None;
            self.trapped = Some(node);
            self.crash(node);
        }
        self.set_wake(node);
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        self.watch.sent(self.now, id(from), id(to), &message);
        if self.rng.chance(self.loss) || self.cut.contains(&(from, to)) {
            return;
        }
        let late = Duration::from_micros(1_000 + self.rng.below(19_000) as u64);
        if self.rng.chance(self.loss / 4.0) {
            self.push(self.now + late * 3, Event::Message(from, to, message.clone()));
        }
        self.push(self.now + late, Event::Message(from, to, message));
    }

    fn set_wake(&mut self, node: usize) {
        let at = self.nodes[node].election.as_ref().and_then(Election::next_deadline);
        if let Some(at) = at.map(|at| at.max(self.now))
            && self.nodes[node].wake.is_none_or(|wake| at < wake)
        {
            self.nodes[node].wake = Some(at);
            self.push(at, Event::Wake(node, at));
        }
    }

    /// Runs until `done`, or the time is over; true when it was done.
    pub(crate) fn run(&mut self, span: Duration, mut done: impl FnMut(&World) -> bool) -> bool {
        let end = self.now + span;
        while !done(self) {
            let Some(entry) = self.queue.first_entry().filter(|e| e.key().0 <= end) else {
                self.now = end;
                return false;
            };
            let (at, _) = *entry.key();
            let event = entry.remove();
            self.now = self.now.max(at);
            match event {
                Event::Message(from, to, message) => {
                    if !self.cut.contains(&(from, to)) {
                        self.call(to, |election, io| election.on_message(io, id(from), message));
                    }
                }
                Event::Wake(node, at) => {
                    if self.nodes[node].wake == Some(at) {
                        self.nodes[node].wake = None;
                        self.call(node, Election::on_deadline);
                    }
                }
            }
        }
        true
    }

    /// The leader that every running node agrees on, with one list that names all of them.
    pub(crate) fn agreed(&self) -> Option<usize> {
        let up = self.up();
        let elections = || up.iter().filter_map(|&n| self.nodes[n].election.as_ref());
        let leader = elections().next()?.leader()?;
        let (ballot, tag) = elections().next().map(|e| (e.ballot(), e.roll().tag))?;
        let same = elections().all(|e| {
            e.leader() == Some(leader) && e.ballot() == ballot && e.roll().tag == tag && e.is_elector()
        });
        let leader = node_of(&leader);
        let leads = self.nodes[leader].election.as_ref().is_some_and(Election::is_leader);
        (same && leads).then_some(leader)
    }
}
