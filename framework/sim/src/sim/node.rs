//! One node as its driver sees it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tertulia_core::engine::Engine;
use tertulia_core::engine::api::DialId;
use tertulia_core::frame::Lane;
use tertulia_core::id::{Incarnation, PeerId};
use tertulia_core::peers::Addr;
use tertulia_core::time::Instant;

use super::event::Arrival;
use super::publish::Pending;

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It never was.
    Absent,
    /// It runs.
    Running,
    /// It runs and was asked to leave.
    Leaving,
    /// Its process died; its host answers dials with a refusal.
    Crashed,
    /// Its host died: nothing is heard from there, no refusal either.
    Silent,
    /// It left in good order.
    Left,
    /// Its engine stopped by itself: it was refused.
    Stopped,
}

impl Status {
    /// True when there is an engine.
    #[must_use]
    pub const fn runs(self) -> bool {
        matches!(self, Status::Running | Status::Leaving)
    }
}

/// What a node keeps over restarts.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its last run.
    pub incarnation: Incarnation,
    /// How many parcels that run had signed for the group.
    pub parcels: u64,
    /// The nick that it asks for.
    pub nick: Arc<str>,
    /// When it claimed the nick.
    pub claimed_at: u64,
    /// Its address book.
    pub book: Vec<(PeerId, Vec<Addr>)>,
    /// What its topology keeps.
    pub slot: Option<Bytes>,
}

/// One end of a link.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// This end's number.
    pub(crate) id: u32,
    /// The node at the other end.
    pub(crate) peer: u32,
    /// The other end's number.
    pub(crate) peer_id: u32,
    /// The other end's run, as its handshake said.
    pub(crate) incarnation: Incarnation,
    /// False until the engine was told.
    pub(crate) up: bool,
    /// The dial that it came from, at the dialler's end.
    pub(crate) dial: Option<DialId>,
    /// Bytes sent and not yet processed, per lane.
    pub(crate) in_flight: [u32; 3],
    /// When the last frame sent arrives: control, and the other lanes.
    pub(crate) last: [Instant; 2],
}

/// The place of a lane in per-lane tables.
pub(crate) const fn lane_index(lane: Lane) -> usize {
    lane as usize
}

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) id: PeerId,
    pub(crate) status: Status,
    /// Since when.
    pub(crate) since: Instant,
    pub(crate) frozen: bool,
    pub(crate) engine: Option<Box<Engine>>,
    /// Counts runs, from 1.
    pub(crate) run: u32,
    pub(crate) stored: Stored,
    /// The addresses that it was given to join by.
    pub(crate) contacts: Vec<Addr>,
    /// Part of its address.
    pub(crate) port: u32,
    /// Sorted by number.
    pub(crate) links: Vec<End>,
    pub(crate) next_link: u32,
    /// Ends that are gone without the other end having been told: frames for them bring a reset.
    pub(crate) unsaid: BTreeSet<u32>,
    /// Dials under way, with their beginnings.
    pub(crate) dials: Vec<(DialId, Instant)>,
    /// When the engine wants to be woken.
    pub(crate) deadline: Option<Instant>,
    /// When the wake-up in the queue is due.
    pub(crate) wake: Option<Instant>,
    /// Wake-ups in a row that left the next deadline in the past.
    pub(crate) stuck: u32,
    pub(crate) pending: VecDeque<Pending>,
    pub(crate) pending_bytes: usize,
    /// A pump is in the queue.
    pub(crate) pumping: bool,
    /// The engine was told to leave.
    pub(crate) told_leave: bool,
    /// What arrived while frozen.
    pub(crate) backlog: VecDeque<Arrival>,
    pub(crate) ready_at: Option<Instant>,
    pub(crate) refused: Option<&'static str>,
    /// When its line is free again: up, down.
    pub(crate) line: [Instant; 2],
}

impl Node {
    pub(crate) fn new(id: PeerId, stored: Stored) -> Self {
        Node {
            id,
            status: Status::Absent,
            since: Instant::ZERO,
            frozen: false,
            engine: None,
            run: 0,
            stored,
            contacts: Vec::new(),
            port: 0,
            links: Vec::new(),
            next_link: 0,
            unsaid: BTreeSet::new(),
            dials: Vec::new(),
            deadline: None,
            wake: None,
            stuck: 0,
            pending: VecDeque::new(),
            pending_bytes: 0,
            pumping: false,
            told_leave: false,
            backlog: VecDeque::new(),
            ready_at: None,
            refused: None,
            line: [Instant::ZERO; 2],
        }
    }

    pub(crate) fn end(&mut self, link: u32) -> Option<&mut End> {
        let at = self.links.binary_search_by_key(&link, |e| e.id).ok()?;
        self.links.get_mut(at)
    }

    pub(crate) fn take_end(&mut self, link: u32) -> Option<End> {
        let at = self.links.binary_search_by_key(&link, |e| e.id).ok()?;
        Some(self.links.remove(at))
    }

    pub(crate) fn take_dial(&mut self, dial: DialId) -> Option<Instant> {
        let at = self.dials.iter().position(|(d, _)| *d == dial)?;
        Some(self.dials.swap_remove(at).1)
    }
}
