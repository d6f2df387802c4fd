//! A laboratory for one engine: a group of real engines around it in virtual time, and a stopwatch on it alone.
//!
//! All engines run here by direct calls. Time goes on in rounds of a millisecond, and what an engine sends in one
//! round arrives in the next. One neighbour of the engine under test publishes; its parcels are held back until
//! [`Lab::step`] hands them to the engine under test, by the clock. Everybody else gets everything as usual and
//! answers as usual, so the engine's history, progress and links are those of a group at work.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tertulia_core::auth::{Auth, Signature};
use tertulia_core::config::EngineConfig;
use tertulia_core::engine::api::{DialFailure, DialId, Down, Input, LinkId, Output};
use tertulia_core::engine::{Engine, Setup};
use tertulia_core::frame::{Frame, FrameKind};
use tertulia_core::id::{Digest, Incarnation, PeerId, SealKey};
use tertulia_core::message::{Draft, Room};
use tertulia_core::rng::mix;
use tertulia_core::time::Instant;
use tertulia_core::topology::Topology;

use crate::workload::Failure;

/// The engine under test.
const TARGET: usize = 0;
const ROUND: Duration = Duration::from_millis(1);

/// Authentication that costs nothing and accepts everything.
struct FreeAuth(PeerId);

impl Auth for FreeAuth {
    fn me(&self) -> PeerId {
        self.0
    }
    fn seal_key(&self) -> SealKey {
        SealKey(self.0.0)
    }
    fn digest(&self, _: &[&[u8]]) -> Digest {
        Digest::default()
    }
    fn sign(&self, _: &Digest) -> Signature {
        [0; 64]
    }
    fn verify(&self, _: &PeerId, _: &Digest, _: &Signature) -> bool {
        true
    }
    fn seal(&self, _: &SealKey, _: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        Some(plain.to_vec())
    }
    fn open(&self, _: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.to_vec())
    }
}

struct Node {
    id: PeerId,
    engine: Engine,
    /// By own number of a link: who is at the other end, and that end's number.
    links: HashMap<LinkId, (usize, LinkId)>,
    delivered: u64,
}

enum Event {
    Input(usize, Input),
    Dial(usize, DialId, String),
}

/// A group of engines and its clock.
pub struct Lab {
    now: Instant,
    nodes: Vec<Node>,
    queue: Vec<Event>,
    links: u32,
    /// Who publishes, once it is chosen, and its parcels that wait for [`Lab::step`].
    publisher: Option<usize>,
    held: Vec<Input>,
    outputs: Vec<Output>,
    published: u64,
}

impl Lab {
    /// Forms a group of `n` engines and lets it come to rest.
    ///
    /// # Errors
    /// When not everybody becomes a member, or no neighbour's parcels take their first way to the engine under test.
    pub fn new(n: usize, make: &dyn Fn() -> Box<dyn Topology>) -> Result<Lab, Failure> {
        let mut lab = Lab {
            now: Instant::ZERO,
            nodes: (0..n).map(|i| node(i, make())).collect(),
            queue: Vec::new(),
            links: 0,
            publisher: None,
            held: Vec::new(),
            outputs: Vec::new(),
            published: 0,
        };
        lab.input(TARGET, Input::Found);
        for i in 1..n {
            lab.input(i, Input::Join(vec![addr(TARGET)]));
            lab.rounds(300);
        }
        lab.rounds(20_000);
        if let Some(i) = lab.nodes.iter().position(|node| !node.engine.is_member()) {
            return Err(format!("engine {i} did not become a member").into());
        }
        lab.choose_publisher()?;
        Ok(lab)
    }

    /// Neighbours of the engine under test.
    #[must_use]
    pub fn neighbours(&self) -> usize {
        let peers: HashSet<_> = self.nodes[TARGET].links.values().map(|end| end.0).collect();
        peers.len()
    }

    /// Publishes `count` parcels of one message of `size` bytes and returns how long the engine under test took over
    /// them, its outputs drained after each; then lets the group take note.
    ///
    /// # Errors
    /// When a parcel was not passed on, or did not reach everybody.
    pub fn step(&mut self, count: usize, size: usize) -> Result<Duration, Failure> {
        let publisher = self.publisher.ok_or("nobody publishes")?;
        for _ in 0..count {
            let mut draft = Draft::default();
            draft.push(&Room::default(), 0, 0, &vec![7; size]);
            self.input(publisher, Input::Publish { to: None, draft });
        }
        let inputs = std::mem::take(&mut self.held);
        if inputs.len() != count {
            return Err(format!("{} parcels came of {count}", inputs.len()).into());
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        let (engine, now) = (&mut self.nodes[TARGET].engine, self.now);
        let start = std::time::Instant::now();
        for input in inputs {
            engine.handle(now, input);
            outputs.append(engine.outputs());
        }
        let took = start.elapsed();
        let data = |o: &&Output| matches!(o, Output::Send { frame, .. } if frame.kind == FrameKind::Data);
        let passed = outputs.iter().filter(data).count();
        self.dispatch(TARGET, &mut outputs);
        self.outputs = outputs;
        self.published += count as u64;
        self.rounds(40);
        let everybody = self.nodes.iter().enumerate().filter(|(i, _)| *i != publisher);
        let behind = everybody.filter(|(_, node)| node.delivered != self.published).count();
        if passed < count || behind > 0 {
            return Err(format!("{passed} of {count} parcels went on, {behind} engines lack some").into());
        }
        Ok(took)
    }

    /// Finds a neighbour whose parcels come straight to the engine under test and are passed on there, even when their
    /// ways have been found: the first ones of an origin may go everywhere.
    fn choose_publisher(&mut self) -> Result<(), Failure> {
        let mut last = Failure::from("nobody publishes");
        for i in 1..self.nodes.len() {
            self.publisher = Some(i);
            self.published = 0;
            self.nodes.iter_mut().for_each(|node| node.delivered = 0);
            match (0..4).map(|_| self.step(1, 64)).last() {
                Some(Err(failure)) => last = failure,
                _ => return Ok(()),
            }
            self.rounds(100);
        }
        Err(format!("no neighbour's parcels are passed on by the engine under test: {last}").into())
    }

    fn input(&mut self, n: usize, input: Input) {
        self.nodes[n].engine.handle(self.now, input);
        self.drain(n);
    }

    fn drain(&mut self, n: usize) {
        let mut outputs = std::mem::take(self.nodes[n].engine.outputs());
        self.dispatch(n, &mut outputs);
    }

    fn dispatch(&mut self, n: usize, outputs: &mut Vec<Output>) {
        for output in outputs.drain(..) {
            match output {
                Output::Send { link, frame, .. } => self.send(n, link, frame),
                Output::Dial { dial, addr } => self.queue.push(Event::Dial(n, dial, addr.to_string())),
                Output::Close { link, .. } => {
                    if let Some((to, there)) = self.nodes[n].links.remove(&link) {
                        let down = Input::LinkDown { link: there, reason: Down::Closed };
                        self.queue.push(Event::Input(to, down));
                    }
                }
                Output::Deliver(d) => self.nodes[n].delivered += u64::from(d.count),
                Output::Event(_) | Output::Book(_) | Output::Persist(_) | Output::Stop => {}
            }
        }
    }

    fn send(&mut self, n: usize, link: LinkId, frame: Frame) {
        let Some(&(to, there)) = self.nodes[n].links.get(&link) else { return };
        let held = to == TARGET && self.publisher == Some(n) && frame.kind == FrameKind::Data;
        let input = Input::Frame { link: there, frame };
        if held { self.held.push(input) } else { self.queue.push(Event::Input(to, input)) }
    }

    /// Lets so many rounds pass.
    fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            self.now += ROUND;
            for event in std::mem::take(&mut self.queue) {
                match event {
                    Event::Dial(n, dial, addr) => self.dial(n, dial, &addr),
                    Event::Input(n, input) => {
                        if let Input::LinkDown { link, .. } = &input {
                            self.nodes[n].links.remove(link);
                        }
                        self.input(n, input);
                    }
                }
            }
            for n in 0..self.nodes.len() {
                if self.nodes[n].engine.next_deadline().is_some_and(|at| at <= self.now) {
                    self.nodes[n].engine.on_deadline(self.now);
                    self.drain(n);
                }
            }
        }
    }

    fn dial(&mut self, n: usize, dial: DialId, to: &str) {
        let Some(to) = (0..self.nodes.len()).find(|&i| *addr(i) == *to) else {
            let failure = DialFailure::Nobody("nobody there".into());
            return self.input(n, Input::DialFailed { dial, failure });
        };
        let (here, there) = (LinkId(self.links), LinkId(self.links + 1));
        self.links += 2;
        self.nodes[n].links.insert(here, (to, there));
        self.nodes[to].links.insert(there, (n, here));
        let (from, peer, incarnation) = (self.nodes[n].id, self.nodes[to].id, Incarnation(1));
        self.input(to, Input::LinkUp { link: there, peer: from, incarnation, dial: None });
        self.input(n, Input::LinkUp { link: here, peer, incarnation, dial: Some(dial) });
    }
}

fn addr(n: usize) -> Arc<str> {
    Arc::from(format!("lab://{n}"))
}

fn node(n: usize, topology: Box<dyn Topology>) -> Node {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&mix(n as u64 + 1).to_be_bytes());
    let id = PeerId(id);
    let engine = Engine::new(Setup {
        config: EngineConfig::default(),
        auth: Box::new(FreeAuth(id)),
        topology,
        seed: n as u64,
        incarnation: Incarnation(1),
        before: (Incarnation(0), 0),
        epoch: 0,
        nick: Arc::from(format!("n{n}")),
        nick_explicit: false,
        claimed_at: n as u64,
        addrs: vec![addr(n)],
        book: vec![],
        slot: None,
        planted: None,
    });
    Node { id, engine, links: HashMap::new(), delivered: 0 }
}
