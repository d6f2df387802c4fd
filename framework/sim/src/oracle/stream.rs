//! What the oracle keeps: streams as published, runs as they went, progress of a run in a stream.

use tertulia_core::id::Incarnation;
use tertulia_core::time::Instant;

use super::spans::Spans;

/// Names a stream. `run` tells runs apart whose incarnations are wrongly the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamKey {
    pub(super) origin: u32,
    pub(super) incarnation: Incarnation,
    pub(super) to: Option<u32>,
    /// The origin's run, from 1.
    pub(super) run: u32,
}

/// Messages of one origin's run, to everybody or to one.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) key: StreamKey,
    /// When each was accepted, and the hash of its payload.
    messages: Vec<(Instant, u64)>,
    /// What the origin's application was told of as arrived.
    pub(super) complete: Spans,
    /// What the origin's application was told of as not arrived everywhere.
    pub(super) partial: Spans,
}

impl Stream {
    pub(super) fn new(key: StreamKey) -> Self {
        Stream { key, messages: Vec::new(), complete: Spans::default(), partial: Spans::default() }
    }

    /// Adds a message; its number.
    pub(super) fn push(&mut self, at: Instant, hash: u64) -> u64 {
        self.messages.push((at, hash));
        self.messages.len() as u64
    }

    pub(super) fn hash(&self, seq: u64) -> Option<u64> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.messages.get(index).map(|m| m.1)
    }

    /// The number of the last message.
    pub(super) fn last(&self) -> u64 {
        self.messages.len() as u64
    }

    /// The number of the first message accepted at `at` or later.
    pub(super) fn first_since(&self, at: Instant) -> u64 {
        self.messages.partition_point(|m| m.0 < at) as u64 + 1
    }
}

/// One run of a node.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) incarnation: Incarnation,
    /// When it became a member.
    pub(super) ready: Option<Instant>,
    /// When it ended, and whether in good order.
    pub(super) ended: Option<(Instant, bool)>,
    /// Sorted by stream.
    progress: Vec<Progress>,
}

impl Run {
    pub(super) fn new(incarnation: Incarnation) -> Self {
        Run { incarnation, ready: None, ended: None, progress: Vec::new() }
    }

    pub(super) fn progress(&mut self, stream: u32) -> &mut Progress {
        let at = match self.progress.binary_search_by_key(&stream, |p| p.stream) {
            Ok(at) => at,
            Err(at) => {
                let fresh = Progress { stream, last: 0, got: Spans::default(), told: Spans::default() };
                self.progress.insert(at, fresh);
                at
            }
        };
        &mut self.progress[at]
    }

    pub(super) fn of(&self, stream: u32) -> Option<&Progress> {
        let at = self.progress.binary_search_by_key(&stream, |p| p.stream).ok()?;
        self.progress.get(at)
    }
}

/// How far one run is in one stream.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) stream: u32,
    /// The last number delivered or told as a gap.
    pub(super) last: u64,
    /// What was delivered.
    pub(super) got: Spans,
    /// What was told as a gap.
    pub(super) told: Spans,
}
