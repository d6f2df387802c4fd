//! Delivery: reliable FIFO broadcast above any topology.
//!
//! A parcel is looked up, verified, committed, and only then handed to the topology, which says where it goes next
//! ([`receive`]). What a neighbour is known to have and this node has not is pulled ([`search`]): so a lost frame, a
//! full lane, a crashed relay and a long absence are all mended in the same way. Own parcels are formed, paced and
//! followed until everybody has them ([`own`]); parcels for one member travel likewise, with acknowledgements
//! ([`direct`]).

pub(crate) mod direct;
pub(crate) mod history;
pub(crate) mod own;
pub(crate) mod receive;
pub(crate) mod search;
pub(crate) mod stream;

use std::collections::BTreeSet;

use self::direct::Direct;
use self::history::History;
use self::own::Own;
use self::stream::{Kept, Stream};
use super::Engine;
use super::api::{Delivered, Event, Output};
use crate::config::Newcomers;
use crate::id::{Incarnation, Peer};
use crate::time::Instant;

/// Runs of one origin whose streams are kept at once.
const RUNS_MAX: usize = 4;

/// A group stream: its origin and the origin's run.
pub(crate) type StreamId = (Peer, Incarnation);

/// State of delivery.
pub(crate) struct Delivery {
    origins: Vec<Vec<Stream>>,
    pub(crate) history: History,
    /// Streams that miss something.
    searching: BTreeSet<StreamId>,
    pub(crate) own: Own,
    pub(crate) direct: Direct,
    /// Bytes committed since neighbours were last told.
    pub(crate) untold: usize,
}

impl Delivery {
    pub(crate) fn new() -> Self {
        Delivery {
            origins: Vec::new(),
            history: History::default(),
            searching: BTreeSet::new(),
            own: Own::default(),
            direct: Direct::default(),
            untold: 0,
        }
    }

    pub(crate) fn stream(&self, id: StreamId) -> Option<&Stream> {
        self.origins.get(id.0.index())?.iter().find(|s| s.incarnation == id.1)
    }

    pub(crate) fn stream_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.origins.get_mut(id.0.index())?.iter_mut().find(|s| s.incarnation == id.1)
    }

    /// The stream, made on first use; `None` when it belongs to a run older than those kept.
    fn open(&mut self, id: StreamId, now: Instant, fresh: bool) -> Option<&mut Stream> {
        if self.origins.len() <= id.0.index() {
            self.origins.resize_with(id.0.index() + 1, Vec::new);
        }
        let runs = &mut self.origins[id.0.index()];
        let at = match runs.binary_search_by_key(&id.1, |s| s.incarnation) {
            Ok(at) => at,
            Err(0) if runs.len() == RUNS_MAX => return None,
            Err(mut at) => {
                if runs.len() == RUNS_MAX {
                    self.history.dropped(&runs.remove(0));
                    at -= 1;
                }
                runs.insert(at, Stream::new(id.1, now, fresh));
                at
            }
        };
        runs.get_mut(at)
    }

    /// True when parcels of this origin are kept.
    pub(crate) fn keeps(&self, origin: Peer) -> bool {
        self.origins.get(origin.index()).is_some_and(|runs| runs.iter().any(|s| !s.kept.is_empty()))
    }

    /// Drops all state of an origin.
    pub(crate) fn forget(&mut self, origin: Peer) {
        if let Some(runs) = self.origins.get_mut(origin.index()) {
            for stream in runs.drain(..) {
                self.history.dropped(&stream);
            }
        }
        self.searching.retain(|(o, _)| *o != origin);
        self.direct.forget(origin);
        self.own.forget(origin);
    }
}

impl Engine {
    /// Takes parcels that are next in order: keeps them, and hands them to the application.
    fn commit(&mut self, id: StreamId, kept: Kept) {
        let now = self.base.now;
        let mut next = Some(kept);
        while let Some(kept) = next {
            let Some(stream) = self.delivery.stream_mut(id) else { return };
            let header = kept.parcel.header;
            if core::mem::take(&mut stream.gap) && header.first_seq > stream.next_seq {
                let (from_seq, to_seq) = (stream.next_seq, header.first_seq - 1);
                let origin = header.origin;
                self.base.event(Event::Gap { origin, incarnation: id.1, from_seq, to_seq });
            }
            let history = header.number <= stream.history;
            if id.0 != Peer::ME {
                let mut delivered = Delivered::of(&kept.parcel);
                (delivered.origin, delivered.history, delivered.hops) = (id.0, history, kept.hops);
                delivered.nick = self.base.nick_of(id.0);
                self.base.stats.delivered += u64::from(header.count);
                self.base.out.push(Output::Deliver(delivered));
            }
            let bytes = kept.parcel.bytes().len();
            self.base.stats.committed += 1;
            self.delivery.untold += bytes;
            self.delivery.history.add(id, &kept);
            let Some(stream) = self.delivery.stream_mut(id) else { return };
            stream.push(kept, now);
            next = stream.ahead.remove(&(stream.top + 1));
            if let Some(k) = &next {
                stream.ahead_bytes -= k.parcel.bytes().len();
            }
        }
        self.evict();
        let Some(stream) = self.delivery.stream(id) else { return };
        let (floor, top, missing) = (stream.floor, stream.top, stream.is_missing());
        self.roster.progress(Peer::ME, id, floor, top, 0);
        if !missing {
            self.delivery.searching.remove(&id);
        }
    }

    /// This node has just become a full member: what others have by now is history.
    pub(crate) fn mark_history(&mut self) {
        let cells = self.roster.iter().flat_map(|(_, m)| m.row.cells.iter().map(|(id, c)| (*id, c.top)));
        let cells: Vec<(StreamId, u64)> = cells.collect();
        for (id, top) in cells {
            let skip = self.base.config.history.newcomers == Newcomers::None;
            let Some(stream) = self.delivery.open(id, self.base.now, false) else { continue };
            stream.history = stream.history.max(top);
            stream.fresh = false;
            if skip && !stream.started {
                stream.start(top);
            }
        }
    }
}
