//! What the topology keeps for the next run, and its frames that must not leave before that is safe.
//!
//! The driver does not wait for the disk: it goes on, and only frames of the topology wait, in order. When something
//! could not be kept, the frames that relied on it are dropped; a topology bears the loss of any frame.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tertulia_core::engine::api::LinkId;
use tertulia_core::frame::{Frame, FrameKind, Lane};

use super::Driver;
use super::tasks::{Ended, Job};
use crate::bus::book::save_slot;
use crate::store::Store;

/// Frames that wait for the disk at most.
const WAITING: usize = 4096;

/// The state of keeping.
pub(super) struct Slot {
    store: Arc<dyn Store>,
    /// Something is being written.
    saving: bool,
    waiting: VecDeque<Waiting>,
}

enum Waiting {
    Save(Bytes),
    Frame(LinkId, Lane, Frame),
}

impl Slot {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Slot { store, saving: false, waiting: VecDeque::new() }
    }
}

impl Driver {
    /// Puts a frame on its link's lane, once what it relies on is safe.
    pub(super) fn stage(&mut self, link: LinkId, lane: Lane, frame: Frame) {
        if !self.slot.saving || frame.kind != FrameKind::Topology {
            self.links.stage(link, lane, frame);
        } else if self.slot.waiting.len() < WAITING {
            self.slot.waiting.push_back(Waiting::Frame(link, lane, frame));
        }
    }

    /// Keeps this for the next run.
    pub(super) fn keep(&mut self, slot: Bytes) {
        if self.slot.saving {
            match self.slot.waiting.back_mut() {
                Some(Waiting::Save(last)) => *last = slot,
                _ => self.slot.waiting.push_back(Waiting::Save(slot)),
            }
            return;
        }
        self.slot.saving = true;
        let store = self.slot.store.clone();
        self.tasks.start(Job::Keep, async move {
            let saved = tokio::task::spawn_blocking(move || save_slot(&*store, &slot)).await;
            match saved {
                Ok(Ok(())) => Ended::Kept(true),
                Ok(Err(error)) => {
                    tracing::error!(%error, "what the topology keeps is not saved");
                    Ended::Kept(false)
                }
                Err(error) => {
                    tracing::error!(%error, "what the topology keeps is not saved");
                    Ended::Kept(false)
                }
            }
        });
    }

    /// It is safe, or it could not be kept.
    pub(super) fn kept(&mut self, safe: bool) {
        self.slot.saving = false;
        while let Some(waiting) = self.slot.waiting.pop_front() {
            match waiting {
                Waiting::Save(slot) => {
                    self.keep(slot);
                    return;
                }
                Waiting::Frame(link, lane, frame) if safe => self.links.stage(link, lane, frame),
                Waiting::Frame(..) => {}
            }
        }
    }
}
