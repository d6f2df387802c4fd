//! A miniature network for tests of the engine: engines joined by lossless or lossy links in virtual time.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tertulia_core::auth::{Auth, Signature};
use tertulia_core::config::{EngineConfig, Scope};
use tertulia_core::engine::api::{DialFailure, Down, Event, Input, LinkId, Output};
use tertulia_core::engine::{Engine, Setup};
use tertulia_core::frame::{Frame, FrameKind};
use tertulia_core::id::{Digest, Incarnation, Peer, PeerId, SealKey};
use tertulia_core::message::{Draft, Room};
use tertulia_core::peers::{PeerTable, State};
use tertulia_core::rng::{NodeRng, mix};
use tertulia_core::time::Instant;
use tertulia_core::topology::{Ctx, Input as TopoInput, Needs, Topology, View};

/// Signatures by a keyed hash; everybody could forge them, nobody here does.
pub(crate) struct TestAuth(pub(crate) PeerId);

fn hash(seed: u64, parts: &[&[u8]]) -> u64 {
    let word = |c: &[u8]| c.iter().fold(c.len() as u64, |w, &b| w << 8 | u64::from(b));
    parts.iter().flat_map(|p| p.chunks(8)).fold(seed, |h, c| mix(h ^ word(c)))
}

impl Auth for TestAuth {
    fn me(&self) -> PeerId {
        self.0
    }
    fn seal_key(&self) -> SealKey {
        SealKey(self.0.0)
    }
    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut out = [0; 32];
        out[..8].copy_from_slice(&hash(0, parts).to_le_bytes());
        Digest(out)
    }
    fn sign(&self, digest: &Digest) -> Signature {
        let mut out = [7; 64];
        out[..8].copy_from_slice(&hash(9, &[&self.0.0, &digest.0]).to_le_bytes());
        out
    }
    fn verify(&self, who: &PeerId, digest: &Digest, signature: &Signature) -> bool {
        *signature == TestAuth(*who).sign(digest)
    }
    fn seal(&self, to: &SealKey, _: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        Some([&to.0, plain].concat())
    }
    fn open(&self, _: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        sealed.strip_prefix(&self.0.0).map(<[u8]>::to_vec)
    }
}

/// Everybody links to everybody; parcels go to all.
#[derive(Clone, Default)]
pub(crate) struct FullMesh {
    /// A newcomer is not let in before this.
    pub(crate) closed_until: Instant,
    /// It wants a link to nobody.
    pub(crate) shy: bool,
    /// Whom it asked last; its view names it as the leader.
    pub(crate) asked: Option<Peer>,
    /// Newcomers that are still to be told that their nick is taken.
    pub(crate) refuses: usize,
}

impl Topology for FullMesh {
    fn kind(&self) -> &'static str {
        "test-mesh"
    }
    fn needs(&self) -> Needs {
        Needs { roster: Scope::Group, reliable: false }
    }
    fn on_input(&mut self, cx: &mut Ctx<'_>, input: TopoInput<'_>) {
        match input {
            TopoInput::Join { contact, .. } if cx.now < self.closed_until => self.asked = Some(contact),
            TopoInput::Join { nick, .. } if self.refuses > 0 => {
                self.refuses -= 1;
                cx.out.refuse("nick-taken", format!("{nick} is taken"));
            }
            TopoInput::Join { .. } => cx.out.joined(),
            TopoInput::Leave => cx.out.left(),
            TopoInput::Member { peer } if peer != Peer::ME && !self.shy => {
                if cx.peers.get(peer).is_live() {
                    cx.out.want(peer);
                } else {
                    cx.out.release(peer);
                }
            }
            TopoInput::Route { .. } => {
                let linked: Vec<Peer> = cx.peers.live().filter(|(_, e)| e.linked).map(|(p, _)| p).collect();
                linked.into_iter().for_each(|p| cx.out.eager(p));
            }
            _ => {}
        }
    }
    fn next_deadline(&self) -> Option<Instant> {
        self.asked.map(|_| self.closed_until)
    }
    fn on_deadline(&mut self, cx: &mut Ctx<'_>) {
        if cx.now >= self.closed_until && self.asked.take().is_some() {
            cx.out.joined();
        }
    }
    fn view(&self, _: &PeerTable) -> View {
        View { kind: "test-mesh", leader: self.asked, ..View::default() }
    }
}

enum Happening {
    Input(usize, Input),
    Frame(usize, LinkId, Frame),
    Dialed(usize, tertulia_core::engine::api::DialId, String),
}

pub(crate) struct Node {
    pub(crate) id: PeerId,
    pub(crate) run: Incarnation,
    pub(crate) engine: Engine,
    pub(crate) up: bool,
    pub(crate) got: Vec<(PeerId, u64, bool, Bytes)>,
    pub(crate) events: Vec<(Instant, Event)>,
    pub(crate) links: BTreeMap<LinkId, (usize, LinkId)>,
    /// The address book as last stored.
    pub(crate) book: Vec<PeerId>,
    /// When it dialled which address.
    pub(crate) dials: Vec<(Instant, String)>,
}

/// The network.
pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    queue: BinaryHeap<std::cmp::Reverse<(Instant, u64)>>,
    what: BTreeMap<u64, Happening>,
    count: u64,
    next_link: u32,
    pub(crate) rng: NodeRng,
    pub(crate) loss: f64,
    pub(crate) latency: Duration,
    pub(crate) cut: Box<dyn Fn(usize, usize) -> bool>,
    /// How long a dial over a cut goes without an answer; without it nobody is there at once.
    pub(crate) unanswered: Option<Duration>,
    /// Frames of these kinds are lost on the way from the first node, to whomever.
    pub(crate) muted: (usize, Vec<FrameKind>),
    /// So many dials to come are refused, with this code, and by a member or not.
    pub(crate) refusing: u32,
    pub(crate) refusal: (&'static str, bool),
}

fn target(addr: &str) -> Option<usize> {
    addr.trim_start_matches("test://").parse().ok()
}

pub(crate) fn id_of(n: usize) -> PeerId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&mix(n as u64 + 1).to_be_bytes());
    PeerId(id)
}

impl Net {
    pub(crate) fn new() -> Self {
        Net {
            now: Instant::ZERO,
            nodes: vec![],
            queue: BinaryHeap::new(),
            what: BTreeMap::new(),
            count: 0,
            next_link: 0,
            rng: NodeRng::new(1),
            loss: 0.0,
            latency: Duration::from_millis(1),
            cut: Box::new(|_, _| false),
            unanswered: None,
            muted: (0, vec![]),
            refusing: 0,
            refusal: ("wrong-secret", false),
        }
    }

    pub(crate) fn add(&mut self, run: u64, nick: &str, explicit: bool) -> usize {
        let n = self.nodes.len();
        self.push_node((n, run), engine(n, run, nick, explicit))
    }

    /// A node that is not let in for a while.
    pub(crate) fn add_waiting(&mut self, time: Duration) -> usize {
        let n = self.nodes.len();
        let topology = Box::new(FullMesh { closed_until: self.now + time, ..FullMesh::default() });
        self.push_node((n, 1), Engine::new(Setup { topology, ..setup(n, 1, &format!("n{n}"), false) }))
    }

    /// A newcomer that is not let in for so long, and links to nobody whom it was not told to ask.
    pub(crate) fn add_shy(&mut self, time: Duration) -> usize {
        let n = self.nodes.len();
        let closed_until = self.now + time;
        let topology = Box::new(FullMesh { closed_until, shy: true, ..FullMesh::default() });
        self.push_node((n, 1), Engine::new(Setup { topology, ..setup(n, 1, &format!("n{n}"), false) }))
    }

    /// A node whose address book holds these.
    pub(crate) fn add_remembering(&mut self, book: &[usize]) -> usize {
        let n = self.nodes.len();
        let entry = |&n: &usize| (id_of(n), vec![Arc::from(format!("test://{n}"))]);
        let book = book.iter().map(entry).collect();
        self.push_node((n, 1), Engine::new(Setup { book, ..setup(n, 1, &format!("n{n}"), false) }))
    }

    /// A node that the topology refuses a few times, whatever its nick is.
    pub(crate) fn add_refused(&mut self, nick: &str, refuses: usize) -> usize {
        let n = self.nodes.len();
        let topology = Box::new(FullMesh { refuses, ..FullMesh::default() });
        self.push_node((n, 1), Engine::new(Setup { topology, ..setup(n, 1, nick, false) }))
    }

    /// Another holder of the key of `of`.
    pub(crate) fn double(&mut self, of: usize, run: u64) -> usize {
        self.push_node((of, run), engine(of, run, &format!("n{of}"), false))
    }

    /// A node with settings of its own.
    pub(crate) fn add_with(&mut self, config: EngineConfig) -> usize {
        let n = self.nodes.len();
        self.push_node((n, 1), Engine::new(Setup { config, ..setup(n, 1, &format!("n{n}"), false) }))
    }

    /// A node with a topology of its own.
    pub(crate) fn add_as(&mut self, topology: Box<dyn Topology>, config: EngineConfig) -> usize {
        let n = self.nodes.len();
        let setup = Setup { topology, config, ..setup(n, 1, &format!("n{n}"), false) };
        self.push_node((n, 1), Engine::new(setup))
    }

    fn push_node(&mut self, (who, run): (usize, u64), engine: Engine) -> usize {
        self.nodes.push(Node {
            id: id_of(who),
            run: Incarnation(run),
            engine,
            up: true,
            got: vec![],
            events: vec![],
            links: BTreeMap::new(),
            book: vec![],
            dials: vec![],
        });
        self.nodes.len() - 1
    }

    pub(crate) fn restart(&mut self, n: usize, run: u64) {
        self.crash(n);
        self.nodes[n].engine = engine(n, run, &format!("n{n}"), false);
        self.nodes[n].run = Incarnation(run);
        self.nodes[n].up = true;
        self.nodes[n].got.clear();
    }

    pub(crate) fn crash(&mut self, n: usize) {
        self.nodes[n].up = false;
        let links = std::mem::take(&mut self.nodes[n].links);
        for (other, link) in links.into_values() {
            self.push(self.latency, Happening::Input(other, Input::LinkDown { link, reason: Down::Closed }));
        }
    }

    /// Breaks the link between two nodes; both are told.
    pub(crate) fn break_link(&mut self, a: usize, b: usize) {
        for (n, other) in [(a, b), (b, a)] {
            let link = self.nodes[n].links.iter().find(|(_, (to, _))| *to == other).map(|(&link, _)| link);
            if let Some(link) = link {
                self.nodes[n].links.remove(&link);
                self.input(n, Input::LinkDown { link, reason: Down::Failed });
            }
        }
    }

    fn push(&mut self, after: Duration, what: Happening) {
        self.count += 1;
        self.queue.push(std::cmp::Reverse((self.now + after, self.count)));
        self.what.insert(self.count, what);
    }

    pub(crate) fn input(&mut self, n: usize, input: Input) {
        self.nodes[n].engine.handle(self.now, input);
        self.drain(n);
    }

    pub(crate) fn say(&mut self, n: usize, to: Option<usize>, text: &str) {
        let mut draft = Draft::default();
        draft.push(&Room::default(), 0, 0, text.as_bytes());
        self.input(n, Input::Publish { to: to.map(id_of), draft });
    }

    fn drain(&mut self, n: usize) {
        let outputs: Vec<Output> = self.nodes[n].engine.outputs().drain(..).collect();
        for output in outputs {
            match output {
                Output::Send { link, frame, .. } => {
                    let Some(&(to, there)) = self.nodes[n].links.get(&link) else { continue };
                    let mute = self.muted.0 == n && self.muted.1.contains(&frame.kind);
                    if mute || (self.cut)(n, to) || self.rng.chance(self.loss) {
                        continue;
                    }
                    self.push(self.latency, Happening::Frame(to, there, frame));
                }
                Output::Dial { dial, addr } => {
                    self.nodes[n].dials.push((self.now, addr.to_string()));
                    let cut = target(&addr).is_some_and(|to| (self.cut)(n, to));
                    let takes = self.unanswered.filter(|_| cut).unwrap_or(self.latency * 3);
                    self.push(takes, Happening::Dialed(n, dial, addr.to_string()));
                }
                Output::Close { link, .. } => {
                    if let Some((to, there)) = self.nodes[n].links.remove(&link) {
                        let down = Input::LinkDown { link: there, reason: Down::Closed };
                        self.push(self.latency, Happening::Input(to, down));
                    }
                }
                Output::Deliver(d) => {
                    for (i, m) in d.messages().enumerate() {
                        self.nodes[n].got.push((d.id, d.first_seq + i as u64, d.direct, m.payload));
                    }
                }
                Output::Event(e) => self.nodes[n].events.push((self.now, e)),
                Output::Stop => {
                    self.crash(n);
                }
                Output::Persist(_) => {}
                Output::Book(book) => self.nodes[n].book = book.into_iter().map(|entry| entry.0).collect(),
            }
        }
    }

    fn dialed(&mut self, n: usize, dial: tertulia_core::engine::api::DialId, addr: &str) {
        if self.refusing > 0 {
            self.refusing -= 1;
            let (code, member) = self.refusal;
            let (reason, fatal) = (addr.into(), !member);
            let failure = DialFailure::Refused { code, reason, hint: "check them", fatal, member };
            return self.input(n, Input::DialFailed { dial, failure });
        }
        let to = target(addr).unwrap();
        if self.unanswered.is_some() && (self.cut)(n, to) {
            let failure = DialFailure::Trouble("no answer in time".into());
            return self.input(n, Input::DialFailed { dial, failure });
        }
        if to >= self.nodes.len() || !self.nodes[to].up || (self.cut)(n, to) {
            let failure = DialFailure::Nobody("nobody".into());
            return self.input(n, Input::DialFailed { dial, failure });
        }
        let (a, b) = (LinkId(self.next_link), LinkId(self.next_link + 1));
        self.next_link += 2;
        self.nodes[n].links.insert(a, (to, b));
        self.nodes[to].links.insert(b, (n, a));
        let (here, there) = (self.nodes[n].run, self.nodes[to].run);
        let ids = (self.nodes[n].id, self.nodes[to].id);
        self.input(to, Input::LinkUp { link: b, peer: ids.0, incarnation: here, dial: None });
        self.input(n, Input::LinkUp { link: a, peer: ids.1, incarnation: there, dial: Some(dial) });
    }

    /// Runs for a while in virtual time.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let wake = (0..self.nodes.len())
                .filter(|&n| self.nodes[n].up)
                .filter_map(|n| Some((self.nodes[n].engine.next_deadline()?.max(self.now), n)))
                .min();
            let next = self.queue.peek().map(|r| r.0.0);
            match (wake, next) {
                (Some((at, n)), next) if at <= end && next.is_none_or(|t| at < t) => {
                    self.now = at;
                    self.nodes[n].engine.on_deadline(at);
                    self.drain(n);
                }
                (_, Some(at)) if at <= end => {
                    let std::cmp::Reverse((at, key)) = self.queue.pop().unwrap();
                    self.now = at;
                    match self.what.remove(&key).unwrap() {
                        Happening::Input(n, input) if self.nodes[n].up => {
                            if let Input::LinkDown { link, .. } = &input {
                                self.nodes[n].links.remove(link);
                            }
                            self.input(n, input);
                        }
                        Happening::Frame(n, link, frame)
                            if self.nodes[n].up && self.nodes[n].links.contains_key(&link) =>
                        {
                            self.input(n, Input::Frame { link, frame });
                        }
                        Happening::Dialed(n, dial, addr) if self.nodes[n].up => self.dialed(n, dial, &addr),
                        _ => {}
                    }
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// A group of `n`, joined one after another through the first.
    pub(crate) fn group(n: usize) -> Net {
        let mut net = Net::new();
        for i in 0..n {
            net.add(1, &format!("n{i}"), false);
        }
        net.input(0, Input::Found);
        for i in 1..n {
            net.input(i, Input::Join(vec!["test://0".into()]));
            net.run(Duration::from_millis(200));
        }
        net.run(Duration::from_secs(1));
        net
    }

    /// What a node believes of another.
    pub(crate) fn state(&self, n: usize, of: usize) -> State {
        let peers = self.nodes[n].engine.peers();
        peers.find(&id_of(of)).map_or(State::Unknown, |p| peers.get(p).state)
    }

    pub(crate) fn texts(&self, n: usize, from: usize) -> Vec<String> {
        let got = self.nodes[n].got.iter().filter(|g| g.0 == id_of(from));
        got.map(|g| String::from_utf8_lossy(&g.3).into_owned()).collect()
    }
}

fn engine(n: usize, run: u64, nick: &str, explicit: bool) -> Engine {
    Engine::new(setup(n, run, nick, explicit))
}

fn setup(n: usize, run: u64, nick: &str, explicit: bool) -> Setup {
    Setup {
        config: EngineConfig::default(),
        auth: Box::new(TestAuth(id_of(n))),
        topology: Box::new(FullMesh::default()),
        seed: n as u64 + run * 1000,
        incarnation: Incarnation(run),
        before: (Incarnation(0), 0),
        epoch: 0,
        nick: Arc::from(nick),
        nick_explicit: explicit,
        claimed_at: n as u64,
        addrs: vec![Arc::from(format!("test://{n}"))],
        book: vec![],
        slot: None,
        planted: None,
    }
}
