//! A miniature network for tests: topologies over links that take time and lose frames, with a roster that is right at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tertulia_core::auth::{Auth, Signature};
use tertulia_core::id::{Digest, Peer, PeerId, SealKey};
use tertulia_core::peers::{PeerTable, State};
use tertulia_core::rng::NodeRng;
use tertulia_core::time::Instant;
use tertulia_core::topology::{Act, Ctx, Input, Outbox, Topology};

struct NoAuth;

impl Auth for NoAuth {
    fn me(&self) -> PeerId {
        PeerId::default()
    }
    fn seal_key(&self) -> SealKey {
        SealKey::default()
    }
    fn digest(&self, _: &[&[u8]]) -> Digest {
        Digest::default()
    }
    fn sign(&self, _: &Digest) -> Signature {
        [0; 64]
    }
    fn verify(&self, _: &PeerId, _: &Digest, _: &Signature) -> bool {
        false
    }
    fn seal(&self, _: &SealKey, _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn open(&self, _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

pub(crate) struct Node {
    pub(crate) id: PeerId,
    pub(crate) topology: Box<dyn Topology>,
    pub(crate) table: PeerTable,
    rng: NodeRng,
    pub(crate) up: bool,
    pub(crate) state: State,
    pub(crate) nick: Arc<str>,
    claimed_at: u64,
    /// How often its state changed, and which change of others it knows.
    version: u64,
    knows: BTreeMap<usize, u64>,
    group: usize,
    wants: BTreeSet<usize>,
    pub(crate) refused: Option<&'static str>,
}

enum Event {
    Frame { from: usize, to: usize, body: Bytes },
    Dial { from: usize, to: usize },
    State { who: usize, state: State },
    Tell { at: usize, who: usize, state: State, version: u64 },
}

pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: BTreeSet<(usize, usize)>,
    pub(crate) loss: f64,
    /// Frames are this late at most beyond a hop, so they overtake each other; and come twice as often as lost.
    pub(crate) late: Duration,
    /// The roster is this late at most, each member by itself.
    pub(crate) lag: Duration,
    /// Two that cannot reach each other.
    pub(crate) blocked: Option<(usize, usize)>,
    /// Every documented message sent, by whom.
    pub(crate) trace: Vec<(usize, &'static str)>,
    /// Every frame sent, by whom.
    pub(crate) sent: Vec<(usize, Bytes)>,
    events: BTreeMap<(Instant, u64), Event>,
    seq: u64,
    rng: NodeRng,
    /// Payloads and announcements of the parcel being routed.
    eager: Vec<usize>,
    lazy: Vec<usize>,
}

pub(crate) const HOP: Duration = Duration::from_millis(5);

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        Net {
            now: Instant::from_millis(1),
            nodes: Vec::new(),
            links: BTreeSet::new(),
            loss: 0.0,
            late: Duration::ZERO,
            lag: Duration::ZERO,
            blocked: None,
            trace: Vec::new(),
            sent: Vec::new(),
            events: BTreeMap::new(),
            seq: 0,
            rng: NodeRng::new(seed),
            eager: Vec::new(),
            lazy: Vec::new(),
        }
    }

    /// A node that is nowhere yet; `place` is where its id stands in the circle.
    pub(crate) fn add(&mut self, place: u8, topology: Box<dyn Topology>) -> usize {
        let id = id(place);
        let mut table = PeerTable::new(id);
        table.get_mut(Peer::ME).addrs = vec![addr(id)];
        let nick = Arc::from(format!("n{place}"));
        let rng = NodeRng::fork(self.rng.next_u64(), u64::from(place));
        self.nodes.push(Node {
            id,
            topology,
            table,
            rng,
            up: true,
            state: State::Unknown,
            nick,
            claimed_at: u64::from(place),
            version: 0,
            knows: BTreeMap::new(),
            group: self.nodes.len(),
            wants: BTreeSet::new(),
            refused: None,
        });
        self.nodes.len() - 1
    }

    pub(crate) fn found(&mut self, who: usize) {
        self.input(who, Input::Found);
        self.set_state(who, State::Alive);
    }

    /// Asks for membership with its own nick.
    pub(crate) fn join(&mut self, who: usize, contact: usize) {
        let (nick, claimed_at) = (self.nodes[who].nick.clone(), self.nodes[who].claimed_at);
        self.link(who, contact);
        let contact = self.handle(who, contact);
        self.input(who, Input::Join { contact, nick, claimed_at });
    }

    pub(crate) fn leave(&mut self, who: usize) {
        self.input(who, Input::Leave);
    }

    /// Dies: links break at once, the roster says suspect, and dead after a while.
    pub(crate) fn crash(&mut self, who: usize) {
        self.nodes[who].up = false;
        self.unlink_all(who);
        self.set_state(who, State::Suspect);
        self.at(Duration::from_millis(500), Event::State { who, state: State::Dead });
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.seq += 1;
        self.events.insert((self.now + after, self.seq), event);
    }

    /// Runs until `span` has passed.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut same = 0;
        loop {
            let event = self.events.keys().next().copied();
            let wake = self.wakes().filter_map(|(at, who)| at.map(|at| (at, who))).min();
            let next = event.map(|e| e.0).into_iter().chain(wake.map(|w| w.0)).min();
            let Some(at) = next.filter(|&at| at <= end) else { break };
            same = if at > self.now { 0 } else { same + 1 };
            assert!(same < 20_000, "time stands still at {at}");
            self.now = self.now.max(at);
            match (event, wake) {
                (Some(key), wake) if wake.is_none_or(|w| key.0 <= w.0) => {
                    if let Some(event) = self.events.remove(&key) {
                        self.happen(event);
                    }
                }
                (_, Some((_, who))) => self.call(who, |t, cx| t.on_deadline(cx)),
                _ => break,
            }
        }
        self.now = end;
    }

    fn wakes(&self) -> impl Iterator<Item = (Option<Instant>, usize)> {
        let up = self.nodes.iter().enumerate().filter(|(_, n)| n.up);
        up.map(|(who, n)| (n.topology.next_deadline(), who))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Frame { from, to, body } => {
                if self.links.contains(&pair(from, to)) && self.nodes[to].up {
                    let from = self.handle(to, from);
                    self.input(to, Input::Frame { from, body: &body });
                }
            }
            Event::Dial { from, to } => {
                if self.nodes[from].up && self.nodes[from].wants.contains(&to) {
                    if self.nodes[to].up && self.blocked != Some(pair(from, to)) {
                        self.link(from, to);
                    } else {
                        self.at(Duration::from_millis(200), Event::Dial { from, to });
                    }
                }
            }
            Event::Tell { at, who, state, version } => self.told(at, who, state, version),
            Event::State { who, state } => {
                if !self.nodes[who].up {
                    self.set_state(who, state);
                }
            }
        }
    }

    pub(crate) fn handle(&mut self, at: usize, of: usize) -> Peer {
        let id = self.nodes[of].id;
        self.nodes[at].table.intern(id)
    }

    pub(crate) fn index(&self, at: usize, peer: Peer) -> usize {
        self.find(at, peer).unwrap()
    }

    fn find(&self, at: usize, peer: Peer) -> Option<usize> {
        let id = self.nodes[at].table.id(peer);
        self.nodes.iter().position(|n| n.id == id)
    }

    pub(crate) fn link(&mut self, a: usize, b: usize) {
        if a == b || !self.nodes[a].up || !self.nodes[b].up || !self.links.insert(pair(a, b)) {
            return;
        }
        for (me, other) in [(a, b), (b, a)] {
            let peer = self.handle(me, other);
            self.nodes[me].table.get_mut(peer).linked = true;
            self.input(me, Input::LinkUp { peer });
        }
    }

    pub(crate) fn unlink(&mut self, a: usize, b: usize) {
        if !self.links.remove(&pair(a, b)) {
            return;
        }
        for (me, other) in [(a, b), (b, a)] {
            let peer = self.handle(me, other);
            self.nodes[me].table.get_mut(peer).linked = false;
            if self.nodes[me].up {
                self.input(me, Input::LinkDown { peer });
            }
            if self.nodes[me].wants.contains(&other) {
                self.at(HOP * 2, Event::Dial { from: me, to: other });
            }
        }
    }

    fn unlink_all(&mut self, who: usize) {
        self.nodes[who].wants.clear();
        for (a, b) in self.links.clone() {
            if a == who || b == who {
                self.unlink(a, b);
            }
        }
    }

    /// Changes what every member of the same group believes.
    pub(crate) fn set_state(&mut self, who: usize, state: State) {
        self.nodes[who].state = state;
        self.nodes[who].version += 1;
        let group = self.nodes[who].group;
        for at in 0..self.nodes.len() {
            if self.nodes[at].group == group && (at == who || self.is_member(at)) {
                self.tell(at, who);
            }
        }
    }

    pub(crate) fn is_member(&self, who: usize) -> bool {
        self.nodes[who].up && self.nodes[who].state.is_live()
    }

    fn tell(&mut self, at: usize, who: usize) {
        let Node { state, version, .. } = self.nodes[who];
        if self.lag.is_zero() || at == who {
            self.told(at, who, state, version);
        } else {
            let lag = self.lag.mul_f64(self.rng.unit());
            self.at(lag, Event::Tell { at, who, state, version });
        }
    }

    fn told(&mut self, at: usize, who: usize, state: State, version: u64) {
        if !self.nodes[at].up || self.nodes[at].knows.get(&who).is_some_and(|&v| v > version) {
            return;
        }
        self.nodes[at].knows.insert(who, version);
        let peer = self.handle(at, who);
        let node = &self.nodes[who];
        let (nick, claimed_at, id) = (node.nick.clone(), node.claimed_at, node.id);
        let entry = self.nodes[at].table.get_mut(peer);
        (entry.state, entry.nick, entry.claimed_at) = (state, nick, claimed_at);
        entry.addrs = vec![addr(id)];
        self.input(at, Input::Member { peer });
    }

    /// A node that died comes back with its id and nick, and asks `contact`.
    pub(crate) fn restart(&mut self, who: usize, contact: usize, topology: Box<dyn Topology>) {
        let group = self.nodes.len() + who;
        let node = &mut self.nodes[who];
        node.up = true;
        node.topology = topology;
        node.table = PeerTable::new(node.id);
        node.table.get_mut(Peer::ME).addrs = vec![addr(node.id)];
        node.knows.clear();
        node.wants.clear();
        node.group = group;
        self.join(who, contact);
    }

    /// Two groups become one: everybody learns of everybody.
    pub(crate) fn merge(&mut self, a: usize, b: usize) {
        let (into, from) = (self.nodes[a].group, self.nodes[b].group);
        for node in self.nodes.iter_mut().filter(|n| n.group == from) {
            node.group = into;
        }
        let group: Vec<usize> = (0..self.nodes.len()).filter(|&i| self.nodes[i].group == into).collect();
        for &at in &group {
            if !self.is_member(at) {
                continue;
            }
            for &who in group.iter().filter(|&&who| who != at) {
                if self.nodes[who].state != State::Unknown {
                    self.tell(at, who);
                }
            }
        }
    }

    /// Where a node sends a parcel: payloads, and announcements.
    pub(crate) fn routed(&mut self, who: usize, route: Input<'_>) -> (Vec<usize>, Vec<usize>) {
        self.eager.clear();
        self.lazy.clear();
        self.input(who, route);
        (std::mem::take(&mut self.eager), std::mem::take(&mut self.lazy))
    }

    pub(crate) fn input(&mut self, who: usize, input: Input<'_>) {
        self.call(who, |t, cx| t.on_input(cx, input));
    }

    fn call(&mut self, who: usize, f: impl FnOnce(&mut dyn Topology, &mut Ctx<'_>)) {
        if !self.nodes[who].up {
            return;
        }
        let mut out = Outbox::default();
        let node = &mut self.nodes[who];
        let mut cx =
            Ctx { now: self.now, rng: &mut node.rng, peers: &node.table, auth: &NoAuth, out: &mut out };
        f(&mut *node.topology, &mut cx);
        let acts: Vec<Act> = out.drain().collect();
        for act in acts {
            self.act(who, act);
        }
    }

    fn act(&mut self, who: usize, act: Act) {
        match act {
            Act::Send(peer, body) => {
                self.sent.push((who, body.clone()));
                let to = self.index(who, peer);
                let copies = if self.rng.chance(self.loss) { 0 } else { 1 };
                let twice = usize::from(self.rng.chance(self.loss));
                for _ in 0..copies + twice {
                    let after = HOP + self.late.mul_f64(self.rng.unit());
                    self.at(after, Event::Frame { from: who, to, body: body.clone() });
                }
            }
            Act::Eager(peer) => {
                let to = self.index(who, peer);
                self.eager.push(to);
            }
            Act::Lazy(peer) => {
                let to = self.index(who, peer);
                self.lazy.push(to);
            }
            Act::Want(peer) => {
                let Some(to) = self.find(who, peer) else { return }; // Nobody listens there.
                assert!(self.nodes[who].wants.insert(to), "wanted twice");
                self.at(HOP * 2, Event::Dial { from: who, to });
            }
            Act::Release(peer) => {
                let Some(to) = self.find(who, peer) else { return };
                assert!(self.nodes[who].wants.remove(&to), "released and not wanted");
                if !self.nodes[to].wants.contains(&who) {
                    self.unlink(who, to);
                }
            }
            Act::Learn(id, addrs) => {
                let peer = self.nodes[who].table.intern(id);
                self.nodes[who].table.get_mut(peer).addrs = addrs;
            }
            Act::Joined => {
                let anchor = self.links.iter().find(|&&(a, b)| a == who || b == who).copied();
                let contact = anchor.map(|(a, b)| if a == who { b } else { a });
                self.nodes[who].group = self.nodes[contact.unwrap()].group;
                self.set_state(who, State::Alive);
                let group = self.nodes[who].group;
                for other in 0..self.nodes.len() {
                    if other != who && self.nodes[other].group == group && self.is_member(other) {
                        self.tell(who, other);
                    }
                }
            }
            Act::Refused { code, .. } => self.nodes[who].refused = Some(code),
            Act::Left => {
                self.nodes[who].up = false;
                self.unlink_all(who);
                self.set_state(who, State::Left);
            }
            Act::Trace(name, _, true) => self.trace.push((who, name)),
            Act::Trace(..) | Act::Leader(..) | Act::Waiting(_) | Act::Persist(_) | Act::Deliver(_) => {}
        }
    }
}

pub(crate) fn id(place: u8) -> PeerId {
    PeerId([place; 32])
}

fn addr(id: PeerId) -> Arc<str> {
    Arc::from(format!("memory://{id:?}"))
}

pub(crate) fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}
