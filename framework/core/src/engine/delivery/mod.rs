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
pub(crate) mod sequence;
pub(crate) mod stream;

use std::collections::BTreeSet;

use self::direct::Direct;
use self::history::History;
use self::own::Own;
use self::sequence::Sequence;
use self::stream::{Kept, Stream};
use super::Engine;
use super::api::{Delivered, Event, Output};
use crate::config::Newcomers;
use crate::id::{Incarnation, Peer, PeerId};
use crate::time::Instant;
use crate::topology::RUNS_MAX;

/// A group stream: its origin and the origin's run.
pub(crate) type StreamId = (Peer, Incarnation);

/// State of delivery.
#[derive(Clone)]
pub(crate) struct Delivery {
    origins: Vec<Vec<Stream>>,
    pub(crate) history: History,
    /// Streams that miss something.
    searching: BTreeSet<StreamId>,
    pub(crate) own: Own,
    pub(crate) direct: Direct,
    pub(crate) sequence: Sequence,
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
            sequence: Sequence::default(),
            untold: 0,
        }
    }

    /// Bytes that wait for their predecessors, in all streams.
    pub(crate) fn ahead_bytes(&self) -> usize {
        self.origins.iter().flatten().map(|s| s.ahead_bytes).sum()
    }

    pub(crate) fn stream(&self, id: StreamId) -> Option<&Stream> {
        self.origins.get(id.0.index())?.iter().find(|s| s.incarnation == id.1)
    }

    pub(crate) fn stream_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.origins.get_mut(id.0.index())?.iter_mut().find(|s| s.incarnation == id.1)
    }

    /// The stream, made on first use; `None` when there is no room for it.
    ///
    /// `proven` runs have a parcel or a record that their origin signed, or vouches for. When all places are taken, they
    /// come instead of a run that is only hearsay, or of the oldest; hearsay comes instead of nothing.
    fn open(&mut self, id: StreamId, now: Instant, fresh: bool, proven: bool) -> Option<&mut Stream> {
        if self.origins.len() <= id.0.index() {
            self.origins.resize_with(id.0.index() + 1, Vec::new);
        }
        let runs = &mut self.origins[id.0.index()];
        if runs.len() == RUNS_MAX && !runs.iter().any(|s| s.incarnation == id.1) {
            let hearsay = runs.iter().position(Stream::is_hearsay);
            let oldest = (runs[0].incarnation < id.1).then_some(0);
            let out = hearsay.or(oldest).filter(|_| proven)?;
            self.history.dropped(&runs.remove(out));
        }
        let at = runs.binary_search_by_key(&id.1, |s| s.incarnation);
        let at = at.unwrap_or_else(|at| {
            runs.insert(at, Stream::new(id.1, now, fresh));
            at
        });
        runs.get_mut(at)
    }

    /// True when a stream's run is too old to be kept, however many of its parcels come.
    fn is_superseded(&self, id: StreamId) -> bool {
        let Some(runs) = self.origins.get(id.0.index()) else { return false };
        runs.len() == RUNS_MAX && runs.iter().all(|s| id.1 < s.incarnation && !s.is_hearsay())
    }

    /// Runs of a peer whose next parcel is here and not delivered.
    fn waiting_runs(&self, peer: Peer) -> Vec<Incarnation> {
        let waits = |s: &&Stream| s.started && s.ahead.contains_key(&(s.top + 1));
        let runs = self.origins.get(peer.index()).into_iter().flatten();
        runs.filter(waits).map(|s| s.incarnation).collect()
    }

    /// True when parcels of this origin are kept.
    pub(crate) fn keeps(&self, origin: Peer) -> bool {
        self.origins.get(origin.index()).is_some_and(|runs| runs.iter().any(|s| !s.kept.is_empty()))
    }

    /// Drops all state of an origin.
    pub(crate) fn forget(&mut self, origin: Peer, id: PeerId) {
        if let Some(runs) = self.origins.get_mut(origin.index()) {
            for stream in runs.drain(..) {
                self.history.dropped(&stream);
            }
        }
        self.searching.retain(|(o, _)| *o != origin);
        self.direct.forget(origin, id);
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
            let (history, next_seq) = (header.number <= stream.history, stream.next_seq);
            if core::mem::take(&mut stream.gap) && header.first_seq > next_seq {
                let (from_seq, to_seq) = (next_seq, header.first_seq - 1);
                let gap = Event::Gap { origin: header.origin, incarnation: id.1, from_seq, to_seq };
                self.hand_over(id, header.number, Output::Event(gap));
            }
            if id.0 != Peer::ME {
                let mut delivered = Delivered::of(&kept.parcel, self.base.nick_of(id.0));
                (delivered.origin, delivered.history, delivered.hops) = (id.0, history, kept.hops);
                self.base.stats.delivered += u64::from(header.count);
                self.hand_over(id, header.number, Output::Deliver(delivered));
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
            self.committed(id, header.number);
        }
        self.evict();
        let Some(stream) = self.delivery.stream(id) else { return };
        let (floor, top, missing) = (stream.floor, stream.top, stream.is_missing());
        self.roster.progress(Peer::ME, id, floor, top, 0);
        if !missing {
            self.delivery.searching.remove(&id);
        }
    }

    /// True when the origin's own record names this run: what others tell of it is no mere hearsay.
    fn is_signed_run(&self, id: StreamId) -> bool {
        self.base.peers.get(id.0).incarnation == id.1
    }

    /// This node has just become a full member: what others have by now is history.
    pub(crate) fn mark_history(&mut self) {
        let cells = self.roster.iter().flat_map(|(_, m)| m.row.cells.iter().map(|(id, c)| (*id, c.top)));
        let cells: Vec<(StreamId, u64)> = cells.collect();
        for (id, top) in cells {
            let skip = self.base.config.history.newcomers == Newcomers::None;
            let proven = self.is_signed_run(id);
            let Some(stream) = self.delivery.open(id, self.base.now, false, proven) else { continue };
            stream.history = stream.history.max(top);
            stream.fresh = false;
            if skip && !stream.started {
                stream.start(top);
            }
        }
    }
}
