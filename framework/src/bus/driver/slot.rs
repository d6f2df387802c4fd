//! What the topology keeps for the next run, and its frames that must not leave before that is safe.
//!
//! The driver does not wait for the disk: it goes on, and only frames of the topology wait, until the newest state is
//! safe. A topology says again what it has once said, and relies on what it kept each time: so when keeping fails,
//! all its frames wait while it is tried again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tertulia_core::engine::api::{Event, LinkId};
use tertulia_core::frame::{Frame, FrameKind, Lane};

use super::Driver;
use super::tasks::{Ended, Job};
use crate::bus::book::save_slot;
use crate::link::Lanes;
use crate::store::Store;

/// The pause after the first failure, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What people are told when keeping fails.
const HINT: &str =
    "see to the disk of the data directory: it is tried again, and until then the topology says nothing";

/// The state of keeping.
pub(super) struct Slot {
    store: Arc<dyn Store>,
    /// The newest, while it is not safe.
    unsaved: Option<Bytes>,
    /// It is the one that is being written, and none before it.
    current: bool,
    /// How long the next try waits: zero unless the last one failed.
    pause: Duration,
    waiting: Waiting,
}

impl Slot {
    /// Nothing to keep; at most `limit` bytes of frames wait.
    pub(super) fn new(store: Arc<dyn Store>, limit: usize) -> Self {
        let waiting = Waiting { limit, ..Waiting::default() };
        Slot { store, unsaved: None, current: false, pause: Duration::ZERO, waiting }
    }
}

/// Frames that wait for the disk, bounded in bytes: the oldest are dropped, as if lost on the way.
#[derive(Default)]
struct Waiting {
    frames: VecDeque<(LinkId, Lane, Frame)>,
    bytes: usize,
    limit: usize,
}

impl Waiting {
    fn push(&mut self, link: LinkId, lane: Lane, frame: Frame) {
        self.bytes += Lanes::cost(&frame);
        self.frames.push_back((link, lane, frame));
        while self.bytes > self.limit && self.frames.len() > 1 {
            self.pop();
        }
    }

    fn pop(&mut self) -> Option<(LinkId, Lane, Frame)> {
        let oldest = self.frames.pop_front()?;
        self.bytes -= Lanes::cost(&oldest.2);
        Some(oldest)
    }
}

impl Driver {
    /// Puts a frame on its link's lane, once what it relies on is safe.
    pub(super) fn stage(&mut self, link: LinkId, lane: Lane, frame: Frame) {
        if self.slot.unsaved.is_some() && frame.kind == FrameKind::Topology {
            self.slot.waiting.push(link, lane, frame);
        } else {
            self.links.stage(link, lane, frame);
        }
    }

    /// Keeps this for the next run.
    pub(super) fn keep(&mut self, slot: Bytes) {
        self.slot.current = false;
        if self.slot.unsaved.replace(slot).is_none() {
            self.save();
        }
    }

    /// Writes the newest, after a pause when the last try failed.
    fn save(&mut self) {
        let Some(slot) = self.slot.unsaved.clone() else { return };
        self.slot.current = true;
        let (store, pause) = (self.slot.store.clone(), self.slot.pause);
        self.tasks.start(Job::Keep, async move {
            tokio::time::sleep(pause).await;
            let saved = tokio::task::spawn_blocking(move || save_slot(&*store, &slot)).await;
            Ended::Kept(match saved {
                Ok(saved) => saved.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            })
        });
    }

    /// A try to keep something has ended.
    pub(super) fn kept(&mut self, saved: Result<(), String>) {
        if let Err(error) = saved {
            self.not_kept(&error);
        } else {
            self.slot.pause = Duration::ZERO;
            if self.slot.current {
                self.slot.unsaved = None;
                while let Some((link, lane, frame)) = self.slot.waiting.pop() {
                    self.links.stage(link, lane, frame);
                }
            }
        }
        self.save();
    }

    /// People are told once, however many tries follow.
    fn not_kept(&mut self, error: &str) {
        tracing::error!(%error, "what the topology keeps is not saved");
        if self.slot.pause.is_zero() {
            let reason = format!("what the topology keeps cannot be saved: {error}");
            self.event(&Event::Trouble { code: "not-kept", reason, hint: HINT });
        }
        self.slot.pause = (self.slot.pause * 2).clamp(PAUSE, PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_wait_are_bounded_and_the_newest_stay() {
        let mut waiting = Waiting { limit: 10_000, ..Waiting::default() };
        for n in 0..1000 {
            waiting.push(LinkId(n), Lane::Control, Frame::new(FrameKind::Topology, vec![0; 3000].into()));
            assert!(waiting.bytes <= 10_000);
        }
        let left: Vec<u32> = std::iter::from_fn(|| waiting.pop()).map(|(link, ..)| link.0).collect();
        assert_eq!((left, waiting.bytes), (vec![997, 998, 999], 0));
        waiting.push(LinkId(1), Lane::Control, Frame::new(FrameKind::Topology, vec![0; 30_000].into()));
        assert!(waiting.pop().is_some(), "one always fits");
    }
}
