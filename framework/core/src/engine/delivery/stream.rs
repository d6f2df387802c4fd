//! One stream of one origin: what is kept, what came too early, what is missing.

use std::collections::{BTreeMap, VecDeque};

use crate::auth::Auth;
use crate::id::{Digest, Incarnation, Peer};
use crate::parcel::Parcel;
use crate::time::Instant;

/// Neighbours remembered as announcers of missing parcels.
const HINTS_MAX: usize = 8;

/// A parcel that is kept for others.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) parcel: Parcel,
    /// Its signature was checked; otherwise its origin's own link vouched for it.
    pub(crate) verified: bool,
    pub(crate) hops: u8,
}

/// How the search for missing parcels goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Search {
    /// When to ask (again).
    pub(crate) at: Option<Instant>,
    /// Who was asked last.
    pub(crate) asked: Option<Peer>,
    /// Tries in a row that brought nothing.
    pub(crate) tries: u32,
    /// Since when nobody is known who keeps the next parcel.
    pub(crate) hopeless: Option<Instant>,
}

/// One stream of one origin.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) incarnation: Incarnation,
    /// Parcels up to here were delivered; meaningless until `started`.
    pub(crate) top: u64,
    /// The number of the next message.
    pub(crate) next_seq: u64,
    /// It is known where to start.
    pub(crate) started: bool,
    /// The oldest one kept; `top + 1` when none is.
    pub(crate) floor: u64,
    pub(crate) kept: VecDeque<Kept>,
    pub(crate) ahead: BTreeMap<u64, Kept>,
    pub(crate) ahead_bytes: usize,
    /// The highest number heard of.
    pub(crate) known: u64,
    /// Parcels up to here were published before this node was ready.
    pub(crate) history: u64,
    /// First heard of once this node was ready: what is missing from the start is a gap.
    pub(crate) fresh: bool,
    /// A gap was accepted: its messages are told when the next parcel shows its number.
    pub(crate) gap: bool,
    /// Digest of the parcel `top`, once computed.
    pub(crate) digest: Option<Digest>,
    pub(crate) search: Search,
    /// Since when parcels wait for word of who their origin is.
    pub(crate) strange: Option<Instant>,
    /// When it last went on.
    pub(crate) moved: Instant,
    /// Neighbours that announced parcels up to a number.
    hints: Vec<(Peer, u64)>,
    /// The origin signed two different pasts; what follows is not accepted.
    pub(crate) forked: bool,
}

impl Stream {
    pub(crate) fn new(incarnation: Incarnation, now: Instant, fresh: bool) -> Self {
        Stream {
            incarnation,
            top: 0,
            next_seq: 1,
            started: false,
            floor: 1,
            kept: VecDeque::new(),
            ahead: BTreeMap::new(),
            ahead_bytes: 0,
            known: 0,
            history: 0,
            fresh,
            gap: false,
            digest: None,
            search: Search::default(),
            strange: None,
            moved: now,
            hints: Vec::new(),
            forked: false,
        }
    }

    /// True when a parcel with this number is here or was.
    pub(crate) fn has(&self, number: u64) -> bool {
        (self.started && number <= self.top) || self.ahead.contains_key(&number)
    }

    /// True while no parcel of this run has come, however much was told of it.
    pub(crate) fn is_hearsay(&self) -> bool {
        self.next_seq == 1 && self.ahead.is_empty()
    }

    /// True when something is missing that somebody has.
    pub(crate) fn is_missing(&self) -> bool {
        self.known > self.top && !self.forked
    }

    /// The parcel with this number, if it is kept.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Kept> {
        if number > self.top {
            return self.ahead.get_mut(&number);
        }
        let index = number.checked_sub(self.floor)?;
        self.kept.get_mut(usize::try_from(index).ok()?)
    }

    /// The number of the first parcel at or behind `number` that is here to be served.
    pub(crate) fn next_held(&self, number: u64) -> Option<u64> {
        let kept = number >= self.floor && number <= self.top;
        if kept { Some(number) } else { self.ahead.range(number..).next().map(|(n, _)| *n) }
    }

    /// Starts behind `top`: parcels up to it are not asked for.
    pub(crate) fn start(&mut self, top: u64) {
        self.started = true;
        self.top = top;
        self.floor = top + 1;
        self.known = self.known.max(top);
        self.gap = top > 0 && self.fresh;
        let rest = self.ahead.split_off(&(top + 1));
        let early = core::mem::replace(&mut self.ahead, rest);
        self.ahead_bytes -= early.values().map(|k| k.parcel.bytes().len()).sum::<usize>();
    }

    /// The digest that the next parcel has to name; `None` when the last one is not kept.
    pub(crate) fn last_digest(&mut self, auth: &dyn Auth) -> Option<Digest> {
        if self.top == 0 {
            return Some(Digest::default());
        }
        if self.digest.is_none() {
            self.digest = self.kept.back().map(|k| k.parcel.digest(auth));
        }
        self.digest
    }

    /// Takes the next parcel in order.
    pub(crate) fn push(&mut self, kept: Kept, now: Instant) {
        let number = kept.parcel.header.number;
        self.top = number;
        self.known = self.known.max(number);
        self.next_seq = kept.parcel.end_seq();
        self.digest = None;
        self.moved = now;
        self.search.tries = 0;
        self.search.hopeless = None;
        self.kept.push_back(kept);
        if !self.hints.is_empty() {
            self.hints.retain(|&(_, n)| n > number);
        }
    }

    /// Goes on at `floor`, over a hole; what was kept before it cannot be served in a row any more.
    pub(crate) fn skip_to(&mut self, floor: u64, now: Instant) -> VecDeque<Kept> {
        self.top = floor - 1;
        self.floor = floor;
        self.gap = true;
        self.digest = None;
        self.search = Search { at: Some(now), ..Search::default() };
        core::mem::take(&mut self.kept)
    }

    /// Drops the oldest one kept.
    pub(crate) fn evict(&mut self) -> Option<Kept> {
        let kept = self.kept.pop_front()?;
        self.floor += 1;
        Some(kept)
    }

    /// A neighbour said that it holds parcels up to `number`.
    pub(crate) fn hint(&mut self, peer: Peer, number: u64) {
        if let Some((_, n)) = self.hints.iter_mut().find(|(p, _)| *p == peer) {
            *n = (*n).max(number);
        } else if self.hints.len() < HINTS_MAX {
            self.hints.push((peer, number));
        }
    }

    /// True when this neighbour announced the parcel `number`.
    pub(crate) fn hinted(&self, peer: Peer, number: u64) -> bool {
        self.hints.iter().any(|&(p, n)| p == peer && n >= number)
    }
}
