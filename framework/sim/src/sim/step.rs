//! One event after another: into the engine, and what it wants done out of it.

use std::time::Duration;

use tertulia_core::engine::api::{Event, Input, LinkId, Output};
use tertulia_core::frame::FrameKind;
use tertulia_core::rng::mix;
use tertulia_core::time::Instant;

use super::Sim;
use super::event::{Arrival, Happening};
use super::node::Status;

/// Wake-ups in a row that may leave the next deadline in the past.
const STUCK: u32 = 1_000;
/// Outputs of one call at most; more is a flood.
const OUTPUTS: usize = 100_000;

impl Sim<'_> {
    /// Runs until `at`; the clock stands there afterwards.
    pub fn run_until(&mut self, at: Instant) {
        while self.queue.next().is_some_and(|next| next <= at) {
            self.step();
        }
        self.now = self.now.max(at);
    }

    /// Runs until nodes have processed `n` more messages, or `at` has come; true when the messages came first.
    pub fn run_messages(&mut self, n: u64, at: Instant) -> bool {
        let goal = self.messages + n;
        while self.messages < goal {
            if self.queue.next().is_none_or(|next| next > at) {
                self.now = self.now.max(at);
                return false;
            }
            self.step();
        }
        true
    }

    /// Processes the next event; false when there is none.
    pub fn step(&mut self) -> bool {
        let Some((at, happening)) = self.queue.pop() else { return false };
        self.now = self.now.max(at);
        self.counters.events += 1;
        match happening {
            Happening::Wake(node) => self.wake(node, at),
            Happening::Pump(node) => {
                self.nodes[node as usize].pumping = false;
                if !self.nodes[node as usize].frozen {
                    self.settle(node);
                }
            }
            Happening::At(node, arrival) => self.arrive(node, arrival),
        }
        true
    }

    /// Mixes something that happened into the trace.
    pub(super) fn note(&mut self, what: u64, a: u64, b: u64) {
        let x = self.trace ^ mix(self.now.as_nanos() ^ what << 56);
        self.trace = mix(x.wrapping_add(mix(a).rotate_left(17)) ^ b);
    }

    fn wake(&mut self, n: u32, at: Instant) {
        let node = &mut self.nodes[n as usize];
        if node.wake != Some(at) {
            return;
        }
        node.wake = None;
        if node.frozen {
            return;
        }
        let due = node.deadline.is_some_and(|d| d <= self.now);
        let Some(engine) = node.engine.as_mut() else { return };
        if due {
            engine.on_deadline(self.now);
            self.note(1, u64::from(n), 0);
            let past = self.nodes[n as usize].engine.as_ref().and_then(|e| e.next_deadline());
            let stuck = past.is_some_and(|d| d <= self.now);
            let node = &mut self.nodes[n as usize];
            node.stuck = if stuck { node.stuck + 1 } else { 0 };
            if node.stuck == STUCK {
                self.bounds.push((self.now, format!("n{n}: its deadline stays in the past")));
            }
        }
        self.settle(n);
    }

    /// Something arrives at a node's host.
    fn arrive(&mut self, n: u32, arrival: Arrival) {
        let node = &mut self.nodes[n as usize];
        if node.frozen {
            let knock = match &arrival {
                Arrival::Knock(knock) => Some(*knock),
                _ => None,
            };
            node.backlog.push_back(arrival);
            if let Some(knock) = knock {
                self.expire_knock(&knock);
            }
            return;
        }
        self.process(n, arrival);
    }

    /// A node's driver takes what has arrived.
    pub(super) fn process(&mut self, n: u32, arrival: Arrival) {
        match arrival {
            Arrival::Frame { link, from, from_link, lane, frame } => {
                self.landed(from, from_link, lane, frame.wire_len());
                if self.paths.blocked(from, n) {
                    self.counters.fault("blocked");
                    return;
                }
                let node = &mut self.nodes[n as usize];
                let status = node.status;
                match node.end(link).map(|end| end.up) {
                    Some(true) => {}
                    // Overtook its own link's beginning: as good as lost.
                    Some(false) => return,
                    None if status == Status::Silent => return,
                    None => return self.reset(n, link, from, from_link),
                }
                let first = frame.body.first_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b));
                let head = u64::from(frame.kind as u8) << 32 | frame.body.len() as u64;
                self.note(2, u64::from(n) << 32 | u64::from(from), head ^ mix(first));
                if frame.kind != FrameKind::Probe {
                    self.message(n);
                }
                self.feed(n, Input::Frame { link: LinkId(link), frame });
            }
            Arrival::LinkUp { link } => self.link_up(n, link),
            Arrival::LinkDown { link, reason } => {
                let Some(end) = self.nodes[n as usize].take_end(link) else { return };
                if end.up {
                    self.note(3, u64::from(n), u64::from(link));
                    self.message(n);
                    self.active();
                    self.feed(n, Input::LinkDown { link: LinkId(link), reason });
                }
            }
            Arrival::Knock(knock) => self.knock(knock),
            Arrival::Answer(knock) => self.answer(knock),
            Arrival::DialFailed { dial, failure } => {
                if self.nodes[n as usize].take_dial(dial).is_some() {
                    self.note(4, u64::from(n), dial.0);
                    self.counters.dial_failures += 1;
                    self.feed(n, Input::DialFailed { dial, failure });
                }
            }
        }
    }

    /// A node processes a message.
    fn message(&mut self, n: u32) {
        self.messages += 1;
        self.receiver = Some(n);
    }

    /// Tells an engine of a link.
    pub(super) fn link_up(&mut self, n: u32, link: u32) {
        let Some(end) = self.nodes[n as usize].end(link) else { return };
        end.up = true;
        let (peer, incarnation, dial) = (end.peer, end.incarnation, end.dial);
        self.note(5, u64::from(n), u64::from(peer));
        self.message(n);
        self.active();
        let peer = self.id(peer);
        self.feed(n, Input::LinkUp { link: LinkId(link), peer, incarnation, dial });
    }

    /// Hands an input to a node's engine and does what it wants done.
    pub(super) fn feed(&mut self, n: u32, input: Input) {
        let Some(engine) = self.nodes[n as usize].engine.as_mut() else { return };
        engine.handle(self.now, input);
        self.settle(n);
    }

    /// Does what an engine wants done, hands it what the application published, and sets its wake-up.
    pub(super) fn settle(&mut self, n: u32) {
        loop {
            self.drain(n);
            if !self.pump(n) {
                break;
            }
        }
        let node = &mut self.nodes[n as usize];
        node.deadline = node.engine.as_ref().and_then(|e| e.next_deadline());
        let Some(deadline) = node.deadline else { return };
        let least = if node.stuck > 0 { self.now + Duration::from_micros(100) } else { self.now };
        let at = deadline.max(least);
        if at < Instant::FAR && node.wake.is_none_or(|w| at < w) {
            node.wake = Some(at);
            self.queue.push(at, Happening::Wake(n));
        }
    }

    fn drain(&mut self, n: u32) {
        let Some(engine) = self.nodes[n as usize].engine.as_mut() else { return };
        let mut outputs = std::mem::take(&mut self.outputs);
        std::mem::swap(engine.outputs(), &mut outputs);
        if outputs.len() > OUTPUTS {
            self.bounds.push((self.now, format!("n{n}: {} outputs of one call", outputs.len())));
        }
        let mut stop = false;
        for output in outputs.drain(..) {
            match output {
                Output::Send { link, lane, frame } => self.send(n, link.0, lane, frame),
                Output::Dial { dial, addr } => self.dial(n, dial, &addr),
                Output::Close { link, reason } => self.close(n, link.0, reason),
                Output::Deliver(delivered) => {
                    self.active();
                    let origin = self.node_of(&delivered.id);
                    self.note(6, u64::from(n), delivered.first_seq << 20 ^ u64::from(delivered.count));
                    self.oracle.delivered(self.now, n, origin, &delivered);
                    if let Some(watch) = &mut self.watch {
                        watch.delivered(self.now, n, &delivered);
                    }
                }
                Output::Event(event) => self.told(n, &event),
                Output::Persist(slot) => self.nodes[n as usize].stored.slot = Some(slot),
                Output::Book(book) => self.nodes[n as usize].stored.book = book,
                Output::Stop => stop = true,
            }
        }
        self.outputs = outputs;
        if stop {
            self.stopped(n);
        }
    }

    fn told(&mut self, n: u32, event: &Event) {
        if !matches!(event, Event::Trace { .. } | Event::Delivery { .. }) {
            self.active();
        }
        self.note(7, u64::from(n), code(event));
        match event {
            Event::Ready { .. } => {
                let node = &mut self.nodes[n as usize];
                if node.ready_at.is_some() {
                    self.bounds.push((self.now, format!("n{n}: ready twice in one run")));
                }
                self.nodes[n as usize].ready_at = Some(self.now);
                self.oracle.ready(self.now, n);
            }
            Event::Gap { origin, incarnation, from_seq, to_seq } => {
                let origin = self.node_of(origin);
                self.oracle.gap(self.now, n, origin, *incarnation, (*from_seq, *to_seq));
            }
            Event::Delivery { to, from_seq, to_seq, reached, of } => {
                let to = to.and_then(|id| self.node_of(&id));
                self.oracle.outcome(n, to, (*from_seq, *to_seq), reached >= of);
            }
            Event::Undeliverable { to, from_seq, to_seq, .. } => {
                let to = self.node_of(to);
                self.oracle.outcome(n, to, (*from_seq, *to_seq), false);
            }
            Event::Refused { code, .. } => self.nodes[n as usize].refused = Some(code),
            _ => {}
        }
        if let Some(watch) = &mut self.watch {
            watch.event(self.now, n, event);
        }
    }
}

fn code(event: &Event) -> u64 {
    match event {
        Event::Ready { .. } => 1,
        Event::Joined(_) => 2,
        Event::Left(..) => 3,
        Event::Suspect(..) => 4,
        Event::Dead(..) => 5,
        Event::Recovered(..) => 6,
        Event::Renamed { .. } => 7,
        Event::Neighbours(_) => 8,
        Event::Leader { term, .. } => 9 + (term << 8),
        Event::Gap { from_seq, to_seq, .. } => 10 + (from_seq << 8) + (to_seq << 36),
        Event::Waiting(_) => 11,
        Event::Delivery { to_seq, reached, .. } => 12 + (to_seq << 8) + (u64::from(*reached) << 40),
        Event::Undeliverable { .. } => 13,
        Event::Refused { .. } => 14,
        Event::Trouble { .. } => 15,
        Event::Trace { .. } => 16,
    }
}
