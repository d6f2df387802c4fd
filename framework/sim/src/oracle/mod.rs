//! The client's view: what applications published, what they got, and what that says of the group.
//!
//! The oracle is told of every message that a node accepted and of every delivery. Doubled, disordered and false
//! messages show at once; what was lost is judged at the end, when it is known who is *correct*: the members that
//! run then, returned ones included.
//!
//! A message is **orphaned**, not lost, when the run of its origin ended by a crash, or told its application that not
//! all were reached, before any run that is still going held it. Nothing but what was stored survives a crash, so what a
//! member had delivered in an earlier run of its own does not count as held.

mod judge;
mod spans;
mod stream;
mod tally;

use std::collections::BTreeMap;

use bytes::Bytes;
use tertulia_core::engine::api::Delivered;
use tertulia_core::id::Incarnation;
use tertulia_core::time::Instant;

use crate::auth::node_of;
use crate::hash::narrow;

pub use judge::{Expect, Verdict};
pub use spans::Spans;
use stream::{Run, Stream, StreamKey};
pub use tally::Tally;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When it was noticed.
    pub at: Instant,
    /// What was broken.
    pub invariant: &'static str,
    /// Who and what.
    pub detail: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.at, self.invariant, self.detail)
    }
}

/// Violations that are kept with their detail; more are only counted.
const KEPT: usize = 64;

/// Records publishing and delivery.
#[derive(Clone, Debug)]
pub struct Oracle {
    auth_key: u64,
    streams: Vec<Stream>,
    by_key: BTreeMap<StreamKey, u32>,
    /// Per node its runs, in order.
    nodes: Vec<Vec<Run>>,
    violations: Vec<Violation>,
    /// What is known before the end; the judge counts the rest.
    tally: Tally,
    deliveries: u64,
    last_delivery: Instant,
}

impl Oracle {
    pub(crate) fn new(auth_key: u64) -> Self {
        Oracle {
            auth_key,
            streams: Vec::new(),
            by_key: BTreeMap::new(),
            nodes: Vec::new(),
            violations: Vec::new(),
            tally: Tally::default(),
            deliveries: 0,
            last_delivery: Instant::ZERO,
        }
    }

    /// Messages accepted.
    #[must_use]
    pub fn accepted_count(&self) -> u64 {
        self.tally.published
    }

    /// Messages delivered, history included.
    #[must_use]
    pub fn delivery_count(&self) -> u64 {
        self.deliveries
    }

    /// When an application last got something.
    #[must_use]
    pub fn last_delivery(&self) -> Instant {
        self.last_delivery
    }

    /// What was broken so far; lost messages come with [`judge`](Oracle::judge).
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// When a node first became a member.
    #[must_use]
    pub fn first_ready(&self, node: u32) -> Option<Instant> {
        self.nodes.get(node as usize)?.iter().find_map(|r| r.ready)
    }

    fn broken(&mut self, at: Instant, invariant: &'static str, detail: String) {
        if self.violations.len() < KEPT {
            self.violations.push(Violation { at, invariant, detail });
        }
    }

    pub(crate) fn started(&mut self, node: u32, incarnation: Incarnation) {
        let at = node as usize;
        if self.nodes.len() <= at {
            self.nodes.resize_with(at + 1, Vec::new);
        }
        self.nodes[at].push(Run::new(incarnation));
    }

    pub(crate) fn ready(&mut self, now: Instant, node: u32) {
        if let Some(run) = self.run(node) {
            run.ready.get_or_insert(now);
        }
    }

    /// A run is over; `told` when it left in good order.
    pub(crate) fn ended(&mut self, now: Instant, node: u32, told: bool) {
        if let Some(run) = self.run(node) {
            run.ended = Some((now, told));
        }
    }

    fn run(&mut self, node: u32) -> Option<&mut Run> {
        self.nodes.get_mut(node as usize)?.last_mut()
    }

    fn run_count(&self, node: u32) -> u32 {
        self.nodes.get(node as usize).map_or(0, |r| r.len() as u32)
    }

    /// A node accepted a message; its number.
    pub(crate) fn accepted(&mut self, now: Instant, node: u32, to: Option<u32>, payload: &Bytes) -> u64 {
        let run = self.run_count(node);
        let incarnation = self.run(node).map_or(Incarnation(0), |r| r.incarnation);
        let key = StreamKey { origin: node, incarnation, to, run };
        let index = match self.by_key.get(&key) {
            Some(&index) => index,
            None => {
                let index = self.streams.len() as u32;
                self.streams.push(Stream::new(key));
                self.by_key.insert(key, index);
                index
            }
        };
        self.tally.published += 1;
        self.streams[index as usize].push(now, narrow(0, payload))
    }

    /// The stream that a delivery claims to come from: the latest of that name.
    fn find(&self, origin: u32, incarnation: Incarnation, to: Option<u32>) -> Option<u32> {
        let key = |run| StreamKey { origin, incarnation, to, run };
        self.by_key.range(key(0)..=key(u32::MAX)).next_back().map(|(_, &index)| index)
    }

    pub(crate) fn delivered(&mut self, now: Instant, node: u32, origin: Option<u32>, d: &Delivered) {
        self.last_delivery = now;
        self.deliveries += u64::from(d.count);
        let to = d.direct.then_some(node);
        let index = origin.filter(|&o| o != node).and_then(|o| self.find(o, d.incarnation, to));
        let (Some(index), Some(origin)) = (index, origin) else {
            self.tally.forged += u64::from(d.count);
            let who =
                node_of(self.auth_key, &d.id).map_or_else(|| format!("{:?}", d.id), |n| format!("n{n}"));
            return self.broken(now, "false", format!("n{node} got messages that {who} never published"));
        };
        let mut problems = Vec::new();
        let mut seq = d.first_seq;
        for message in d.messages() {
            let given = narrow(0, &message.payload);
            if self.streams[index as usize].hash(seq) != Some(given) {
                self.tally.forged += 1;
                problems.push(("false", format!("n{node} got another n{origin}/{seq} than was published")));
            }
            seq += 1;
        }
        if seq - d.first_seq != u64::from(d.count) {
            problems.push(("false", format!("n{node} got {} of {} messages", seq - d.first_seq, d.count)));
        }
        let Some(run) = self.run(node) else { return };
        let progress = run.progress(index);
        let next = progress.last + 1;
        let last = (d.first_seq + u64::from(d.count)).saturating_sub(1);
        let mut doubled = 0;
        let mut astray = 0;
        if progress.last > 0 && d.first_seq != next {
            if last < next || progress.got.contains(d.first_seq) {
                doubled = progress.got.count_within(d.first_seq, last);
            }
            // A direct message may be skipped when its sender is told so; the judge sees to that.
            if doubled == 0 && (last < next || !d.direct) {
                astray = 1;
                let text = format!("n{node} got n{origin}/{} when {next} was due", d.first_seq);
                problems.push(("disordered", text));
            }
        }
        progress.got.insert(d.first_seq, last);
        progress.last = progress.last.max(last);
        if doubled > 0 {
            problems.push(("duplicate", format!("n{node} got n{origin}/{}..{last} again", d.first_seq)));
        }
        self.tally.duplicates += doubled;
        self.tally.disordered += astray;
        for (invariant, detail) in problems {
            self.broken(now, invariant, detail);
        }
    }

    /// A node was told that messages `span` will not come.
    pub(crate) fn gap(
        &mut self,
        now: Instant,
        node: u32,
        origin: Option<u32>,
        incarnation: Incarnation,
        span: (u64, u64),
    ) {
        let Some(index) = origin.and_then(|o| self.find(o, incarnation, None)) else {
            return self.broken(now, "gap", format!("n{node} misses messages that nobody published"));
        };
        if let Some(run) = self.run(node) {
            let progress = run.progress(index);
            progress.told.insert(span.0, span.1);
            progress.last = progress.last.max(span.1);
        }
    }

    /// A node's application was told what became of its messages.
    pub(crate) fn outcome(&mut self, node: u32, to: Option<u32>, span: (u64, u64), complete: bool) {
        let incarnation = self.run(node).map_or(Incarnation(0), |r| r.incarnation);
        if let Some(index) = self.find(node, incarnation, to) {
            let stream = &mut self.streams[index as usize];
            let spans = if complete { &mut stream.complete } else { &mut stream.partial };
            spans.insert(span.0, span.1);
        }
    }
}
