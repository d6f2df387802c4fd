//! The links that are up, as the driver sees them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tertulia_core::config::LimitsConfig;
use tertulia_core::engine::api::LinkId;
use tertulia_core::frame::{Frame, Lane};
use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;
use tokio::sync::Notify;

use super::outbound::{Cork, Outbound};

/// One link.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) peer: PeerId,
    pub(super) outbound: Arc<Outbound>,
    /// Frames of this turn.
    staged: Vec<(Lane, Frame)>,
    pub(super) closing: bool,
    pub(super) reads: bool,
    pub(super) writes: bool,
}

/// All links.
#[derive(Debug)]
pub(super) struct Links {
    entries: BTreeMap<LinkId, Entry>,
    next: u32,
    most: usize,
    /// Links with frames of this turn.
    touched: Vec<LinkId>,
    /// Links that close, and when they are cut.
    closing: VecDeque<(Instant, LinkId)>,
    /// Links that got the last parcel of one's own, and whether one is being staged.
    marked: Vec<LinkId>,
    marking: bool,
    cork: Arc<Cork>,
}

impl Links {
    /// No links, at most `most`; `driver` is whom [`corked`](Links::corked) lets wait.
    pub(super) fn new(most: usize, driver: Arc<Notify>) -> Self {
        Links {
            entries: BTreeMap::new(),
            next: 0,
            most,
            touched: Vec::new(),
            closing: VecDeque::new(),
            marked: Vec::new(),
            marking: false,
            cork: Arc::new(Cork::new(driver)),
        }
    }

    /// Lanes for a new link.
    pub(super) fn outbound(&self, limits: &LimitsConfig) -> Arc<Outbound> {
        Arc::new(Outbound::new(limits, self.cork.clone()))
    }

    /// A parcel of one's own is about to be staged, or has been.
    pub(super) fn marks(&mut self, begins: bool) {
        self.marking = begins;
        if begins {
            self.marked.clear();
        }
    }

    /// True while every link that got the last parcel of one's own is still busy; the driver is woken when one is not.
    pub(super) fn corked(&self) -> bool {
        let entries = || self.marked.iter().filter_map(|id| self.entries.get(id)).filter(|e| !e.closing);
        if entries().next().is_none() {
            return false;
        }
        self.cork.wait();
        entries().all(|entry| !entry.staged.is_empty() || !entry.outbound.is_idle())
    }

    /// True when no more links are allowed.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= self.most
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a link under a number that was never used before; `None` when no number is left.
    pub(super) fn add(&mut self, peer: PeerId, outbound: Arc<Outbound>) -> Option<LinkId> {
        let id = LinkId(self.next);
        self.next = self.next.checked_add(1)?;
        let entry = Entry { peer, outbound, staged: Vec::new(), closing: false, reads: true, writes: true };
        self.entries.insert(id, entry);
        Some(id)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Entry> {
        self.entries.remove(&id)
    }

    /// Notes a frame for the end of the turn.
    pub(super) fn stage(&mut self, id: LinkId, lane: Lane, frame: Frame) {
        if let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.closing) {
            if entry.staged.is_empty() {
                self.touched.push(id);
            }
            if self.marking && lane == Lane::Data {
                self.marked.push(id);
            }
            entry.staged.push((lane, frame));
        }
    }

    /// Puts the frames of this turn on their lanes.
    pub(super) fn flush(&mut self) {
        for id in self.touched.drain(..) {
            if let Some(entry) = self.entries.get_mut(&id) {
                let dropped = entry.outbound.push(&mut entry.staged);
                if dropped > 0 {
                    tracing::debug!(link = id.0, frames = dropped, "a lane is full");
                }
            }
        }
    }

    /// Closes a link once its lanes are empty, at the latest `until`.
    pub(super) fn close(&mut self, id: LinkId, until: Instant) {
        if let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.closing) {
            // What this turn sent goes first; the list stays in `touched` and is empty then.
            entry.outbound.push(&mut entry.staged);
            entry.outbound.close();
            entry.closing = true;
            self.closing.push_back((until, id));
        }
    }

    pub(super) fn close_all(&mut self, until: Instant) {
        let ids: Vec<_> = self.entries.keys().copied().collect();
        ids.into_iter().for_each(|id| self.close(id, until));
    }

    /// When the next closing link is to be cut.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.closing.front().map(|(until, _)| *until)
    }

    /// Links that did not close in time.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<LinkId> {
        let mut late = Vec::new();
        while let Some((_, id)) = self.closing.pop_front_if(|(until, _)| *until <= now) {
            if self.entries.contains_key(&id) {
                late.push(id);
            }
        }
        late
    }
}
