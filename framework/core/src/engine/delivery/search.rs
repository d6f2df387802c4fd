//! Missing parcels are pulled from whoever holds them.
//!
//! A stream misses something when anybody is known to be further than this node: by roster progress, by an
//! announcement, or by a later parcel. After a short wait (the parcel may be on its way) one neighbour that holds
//! the next parcel is asked for it and what follows; the end of its answer, or a time-out, leads to the next
//! question. When nobody holds the next parcel any more, the stream goes on at the oldest one kept and a gap is told;
//! not so while somebody who may hold it is away and may come back.

use core::time::Duration;

use bytes::Bytes;

use super::super::Engine;
use super::super::roster::{Cell, Forged, Member};
use super::StreamId;
use super::stream::Stream;
use crate::frame::{FrameKind, Lane};
use crate::id::{Incarnation, Peer};
use crate::peers::State;
use crate::time::Instant;
use crate::topology::Input;
use crate::wire::{Reader, Writer};

/// Questions asked at one wake-up; the other streams wait for the next.
const ASK_MAX: usize = 32;
/// A parcel that nobody is known to have dropped is looked for so many times `delivery.gap_after`.
const LONG: u32 = 4;
/// For how long parcels of somebody unknown wait for its record: nicks come by other frames, a little later at most.
const INTRODUCTION: Duration = Duration::from_secs(1);
/// Bytes of an answer at most, whatever is asked for.
const ANSWER_MAX: usize = 1 << 20;

impl Engine {
    /// Sees to a stream that may miss something.
    pub(super) fn search(&mut self, id: StreamId) {
        if !self.base.config.delivery.repair {
            return;
        }
        let missing = self.delivery.stream(id).is_some_and(Stream::is_missing);
        if !missing || !self.delivery.searching.insert(id) {
            return;
        }
        let at = self.base.now + self.pull_wait();
        if let Some(stream) = self.delivery.stream_mut(id) {
            stream.search.at = Some(at);
            stream.search.asked = None;
        }
    }

    /// How long a parcel that others have may be on its way here.
    fn pull_wait(&self) -> Duration {
        let rtt = self.base.links.iter().filter_map(|l| l.rtt.smoothed()).max().unwrap_or_default();
        self.base.config.delivery.pull_after.0.max(rtt * 3 / 2).min(self.base.config.delivery.retry_max.0)
    }

    /// Somebody told how far it is with a stream.
    pub(crate) fn on_progress(&mut self, member: Peer, id: StreamId) {
        if id == (Peer::ME, self.base.incarnation) {
            self.on_own_progress(member);
            return;
        }
        let Some(top) = self.roster.cell(member, id).map(|c| c.top) else { return };
        let (now, ready) = (self.base.now, self.base.ready);
        let proven = self.is_signed_run(id);
        let Some(stream) = self.delivery.open(id, now, ready, proven) else { return };
        if top > stream.known {
            stream.known = top;
        }
        self.search(id);
    }

    pub(crate) fn next_search(&self) -> Option<Instant> {
        let at = |id: &StreamId| self.delivery.stream(*id).and_then(|s| s.search.at);
        self.delivery.searching.iter().filter_map(at).min()
    }

    /// Asks for what is due.
    pub(crate) fn on_search_deadline(&mut self) {
        let now = self.base.now;
        let is_due =
            |id: &StreamId| self.delivery.stream(*id).is_none_or(|s| s.search.at.is_none_or(|at| at <= now));
        let due: Vec<StreamId> = self.delivery.searching.iter().copied().filter(is_due).collect();
        for (n, id) in due.into_iter().enumerate() {
            let asked = n < ASK_MAX && self.seek(id);
            let later = now + self.base.config.delivery.pull_after.0;
            match self.delivery.stream_mut(id) {
                Some(stream) if stream.is_missing() => {
                    if !asked && stream.search.at.is_none_or(|at| at <= now) {
                        stream.search.at = Some(later);
                    }
                }
                _ => {
                    self.delivery.searching.remove(&id);
                }
            }
        }
    }

    /// Asks a neighbour for the next parcels of a stream. True when the search has a new deadline.
    fn seek(&mut self, id: StreamId) -> bool {
        let (now, wait) = (self.base.now, self.pull_wait());
        let Some(stream) = self.delivery.stream_mut(id) else { return false };
        if !stream.is_missing() {
            return false;
        }
        if stream.started && stream.ahead.contains_key(&(stream.top + 1)) {
            return self.introduce(id);
        }
        // It is coming by itself.
        if stream.search.asked.is_none() && stream.started && now < stream.moved + wait {
            stream.search.at = Some(stream.moved + wait);
            return true;
        }
        if !stream.started && !self.begin(id) {
            return true;
        }
        let Some(source) = self.source(id) else {
            self.give_up(id);
            return false;
        };
        let retry = self.base.config.delivery.retry_max.0;
        let rto =
            self.base.links.get(source).map_or(wait, |l| l.rtt.timeout(wait.max(Duration::from_millis(100))));
        let budget = self.base.config.delivery.pull_size.0;
        let Some(stream) = self.delivery.stream_mut(id) else { return false };
        let from = stream.top + 1;
        let to = stream.ahead.keys().next().map_or(stream.known, |first| first - 1);
        let tries = stream.search.tries;
        stream.search.tries = tries.saturating_add(1);
        stream.search.asked = Some(source);
        stream.search.hopeless = None;
        stream.search.at = Some(now + (rto * (1 << tries.min(6))).min(retry.max(rto)));
        let mut w = Writer::new();
        w.raw(&self.base.peers.id(id.0).0).u64(id.1.0).u64(from).u64(to).u32(budget as u32);
        self.base.stats.pulls += 1;
        self.base.control(source, FrameKind::Pull, w.finish());
        true
    }

    /// Finds where a stream starts that was first heard of in its middle.
    fn begin(&mut self, id: StreamId) -> bool {
        let floors = self.base.links.up().iter().filter_map(|&p| self.roster.cell(p, id));
        let floor = floors.filter(|c| c.top > 0 && c.floor <= c.top).map(|c| c.floor).min();
        let (back, wait) = (self.holder_back(id, 1), self.unheard_wait(id, 1));
        let Some(stream) = self.delivery.stream_mut(id) else { return false };
        let first = stream.ahead.keys().next().copied();
        let (now, patience) = (self.base.now, self.base.config.delivery.gap_after.0);
        let floor = floor.or_else(|| {
            // Neighbours will soon tell how far they are; when none does, nothing older is to be had.
            let since = back.max(*stream.search.hopeless.get_or_insert(now));
            (now.since(since) >= wait).then_some(first.unwrap_or(stream.known))
        });
        let Some(floor) = floor else {
            stream.search.at = Some(now + patience / 16);
            return false;
        };
        stream.start(floor - 1);
        self.drain_ahead(id);
        true
    }

    /// True when it is known who speaks in a stream: the record of that run has come, or long was waited for.
    pub(super) fn is_introduced(&mut self, id: StreamId) -> bool {
        let now = self.base.now;
        if self.base.peers.get(id.0).incarnation >= id.1 {
            return true;
        }
        let Some(stream) = self.delivery.stream_mut(id) else { return true };
        now >= *stream.strange.get_or_insert(now) + INTRODUCTION
    }

    /// Goes on with a stream whose next parcel waits for word of who its origin is. True while it waits.
    pub(crate) fn introduce(&mut self, id: StreamId) -> bool {
        if self.is_introduced(id) {
            self.drain_ahead(id);
            return false;
        }
        let Some(stream) = self.delivery.stream_mut(id) else { return false };
        stream.search.at = stream.strange.map(|since| since + INTRODUCTION);
        true
    }

    /// A member's record came: what it said before is delivered, and what others have of that run is looked for.
    pub(crate) fn introduce_peer(&mut self, peer: Peer) {
        let id = (peer, self.base.peers.get(peer).incarnation);
        if self.delivery.stream(id).is_none() {
            let holds = |(_, m): &(Peer, &Member)| m.row.cells.contains_key(&id);
            let holders: Vec<Peer> = self.roster.iter().filter(holds).map(|(p, _)| p).collect();
            holders.into_iter().for_each(|holder| self.on_progress(holder, id));
        }
        for run in self.delivery.waiting_runs(peer) {
            self.introduce((peer, run));
        }
    }

    fn drain_ahead(&mut self, id: StreamId) {
        if !self.is_introduced(id) || self.is_order_full(id) {
            return;
        }
        let Some(stream) = self.delivery.stream_mut(id) else { return };
        if let Some(kept) = stream.ahead.remove(&(stream.top + 1)) {
            stream.ahead_bytes -= kept.parcel.bytes().len();
            self.commit(id, kept);
        }
    }

    /// A neighbour that holds the next parcel; another one than last time if there is a choice.
    fn source(&mut self, id: StreamId) -> Option<Peer> {
        let stream = self.delivery.stream(id)?;
        let next = stream.top + 1;
        let holds = |p: &Peer| {
            self.roster.cell(*p, id).is_some_and(|c| c.floor <= next && next <= c.top)
                || stream.hinted(*p, next)
        };
        let mut holders: Vec<Peer> = self.base.links.up().iter().copied().filter(holds).collect();
        if holders.len() > 1 && stream.search.tries > 0 {
            let last = stream.search.asked;
            holders.retain(|p| Some(*p) != last);
        }
        self.base.rng.pick(&holders).copied()
    }

    /// Nobody near holds the next parcel: after a while the stream goes on behind the hole, or is left at rest.
    fn give_up(&mut self, id: StreamId) {
        let (now, patience) = (self.base.now, self.base.config.delivery.gap_after.0);
        let Some(stream) = self.delivery.stream(id) else { return };
        let next = stream.top + 1;
        let since = stream.search.hopeless.unwrap_or(now);
        let live = |p: Peer| p != Peer::ME && self.base.peers.get(p).is_live();
        let cells = || self.roster.iter().filter(|(p, _)| live(*p)).filter_map(|(_, m)| m.row.cells.get(&id));
        let somewhere = cells().any(|c| c.floor <= next && next <= c.top);
        let kept = cells().filter(|c| c.floor > next && c.floor <= c.top).map(|c| c.floor);
        let onward = kept.chain(stream.ahead.keys().next().copied()).min();
        // Told to be gone by whoever keeps what follows, it is gone; unheard of, it may be beyond a cut.
        let gone = !somewhere && cells().any(|c| c.floor > next && c.floor <= c.top);
        let (since, wait) = if gone {
            (since, patience)
        } else {
            (since.max(self.holder_back(id, next)), self.unheard_wait(id, next))
        };
        let expired = now.since(since) >= wait;
        let Some(stream) = self.delivery.stream_mut(id) else { return };
        stream.search.hopeless = Some(since);
        stream.search.asked = None;
        stream.search.at = Some(now + patience / 8);
        if !expired {
            return;
        }
        match onward {
            Some(floor) => {
                let dropped = stream.skip_to(floor, now);
                self.delivery.history.forget(&dropped);
                self.drain_ahead(id);
            }
            // Whoever told of it is gone and nobody has it: it is orphaned until somebody tells of it again.
            None => (stream.known, stream.search.hopeless) = (stream.top, None),
        }
    }

    /// How long a parcel is looked for that nobody in reach has, and nobody is known to have dropped.
    ///
    /// Who lives and has it will pass it on, however long that takes over a bad way. Who is dead may only be beyond a
    /// cut: as long as its return is waited for, so is what it holds.
    fn unheard_wait(&self, id: StreamId, next: u64) -> Duration {
        let state = |p: Peer| self.base.peers.get(p).state;
        let stays = |p: Peer| p != Peer::ME && (state(p).is_live() || state(p) == State::Dead);
        let origin = state(id.0) == State::Dead && self.base.peers.get(id.0).incarnation == id.1;
        let holds = |c: &Cell| c.floor <= next && next <= c.top;
        let holder = || self.roster.iter().any(|(p, m)| stays(p) && m.row.cells.get(&id).is_some_and(holds));
        if origin || holder() {
            self.base.config.roster.forget.0 / 2
        } else {
            self.base.config.delivery.gap_after.0 * LONG
        }
    }

    /// When the last of those who may hold a parcel came back from beyond a cut: what it holds takes its time.
    fn holder_back(&self, id: StreamId, next: u64) -> Instant {
        let holds = |c: &Cell| c.floor <= next && next <= c.top;
        let holders =
            self.roster.iter().filter(|(p, m)| *p == id.0 || m.row.cells.get(&id).is_some_and(holds));
        holders.filter_map(|(_, m)| m.refuted).max().unwrap_or(Instant::ZERO)
    }

    /// A neighbour asks for parcels.
    pub(crate) fn on_pull(&mut self, from: Peer, body: &Bytes) -> Result<(), Forged> {
        let malformed = |_| Forged("malformed pull");
        let mut r = Reader::new(body);
        let who = r.peer_id().map_err(malformed)?;
        let run = Incarnation(r.u64().map_err(malformed)?);
        let (first, last) = (r.u64().map_err(malformed)?, r.u64().map_err(malformed)?);
        let budget = (r.u32().map_err(malformed)? as usize).min(ANSWER_MAX);
        r.end().map_err(malformed)?;
        let (mut floor, mut top, mut sent, mut size) = (0, 0, 0, 0);
        if let Some(id) = self.base.peers.find(&who).map(|p| (p, run))
            && let Some(stream) = self.delivery.stream(id)
        {
            (floor, top) = (stream.floor, stream.top);
            let mut next = stream.next_held(first.max(floor));
            while let Some(number) = next.filter(|&n| n <= last && (sent == 0 || size < budget))
                && !self.forgets_last(number, last.min(top))
            {
                if self.check_kept(id, number)
                    && let Some(kept) = self.delivery.stream_mut(id).and_then(|s| s.get_mut(number))
                {
                    let (hops, bytes) = (kept.hops, kept.parcel.bytes().clone());
                    size += bytes.len();
                    sent += 1;
                    self.base.stats.repairs += 1;
                    self.base.send(from, Lane::Repair, FrameKind::Repair, hops, bytes);
                }
                next = self.delivery.stream(id).and_then(|s| s.next_held(number + 1));
            }
        }
        let mut w = Writer::new();
        w.raw(&who.0).u64(run.0).u64(floor).u64(top);
        self.base.send(from, Lane::Repair, FrameKind::PullEnd, 0, w.finish());
        if let Some(origin) = self.base.peers.find(&who).filter(|_| sent > 0) {
            self.ask(Input::Pulled { by: from, origin });
        }
        Ok(())
    }

    /// The answer to a pull is complete.
    pub(crate) fn on_pull_end(&mut self, from: Peer, body: &Bytes) -> Result<(), Forged> {
        let malformed = |_| Forged("malformed answer to a pull");
        let mut r = Reader::new(body);
        let who = r.peer_id().map_err(malformed)?;
        let run = Incarnation(r.u64().map_err(malformed)?);
        let (floor, top) = (r.u64().map_err(malformed)?, r.u64().map_err(malformed)?);
        r.end().map_err(malformed)?;
        if top > u64::MAX / 2 || floor > top + 1 {
            return Err(Forged("malformed answer to a pull"));
        }
        let Some(id) = self.base.peers.find(&who).map(|p| (p, run)) else { return Ok(()) };
        if top > 0 && self.roster.progress(from, id, floor, top, 0) {
            self.on_progress(from, id);
        }
        let now = self.base.now;
        if let Some(stream) = self.delivery.stream_mut(id)
            && stream.search.asked == Some(from)
        {
            // Parcels that came reset the count of tries; then the next question can go out at once.
            if stream.search.tries == 0 {
                stream.search.at = Some(now);
            }
        }
        Ok(())
    }
}
