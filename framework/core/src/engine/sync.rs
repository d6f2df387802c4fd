//! Replication of the roster between neighbours, by differences.
//!
//! Every item (a member's record with what is believed of it; a cell of its progress) carries the count of its last
//! change here. A link remembers up to which count the other end was told, and tells what changed since, after a short
//! pause that gathers changes. The other end answers how far it has heard without a hole; what stays unanswered is
//! told again from there. So rosters become equal over any connected graph, whatever is lost, doubled or late, and an
//! idle group sends nothing.
//!
//! Progress of third parties reaches a node over all its links, so a new link tells only what changed in the last half
//! minute, but everything to a node that has no other link and asks for it.
//!
//! A frame: how far the other end was heard, flags (1 wanted, 2 member, 4 complete, 8 all), base, upto, dictionary of ids,
//! records, beliefs, rows. What a neighbour has told itself, or said to know, is not told to it.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::base::Base;
use super::record::RECORD_MAX;
use super::roster::{Cell, Forged, Member, Roster};
use crate::config::Scope;
use crate::frame::FrameKind;
use crate::id::{Incarnation, Peer};
use crate::peers::State;
use crate::time::{Instant, earliest};
use crate::wire::{Reader, WireError, Writer};

const WANTED: u8 = 1;
const MEMBER: u8 = 2;
const COMPLETE: u8 = 4;
const ALL: u8 = 8;
/// The pause in which progress is gathered for links that parcels do not take.
const SIDEWAYS: Duration = Duration::from_millis(500);
/// How old progress of third parties may be to be told over a new link.
const RECENT: Duration = Duration::from_secs(30);
/// Bytes after which a frame is closed; the rest follows in the next.
const FRAME_TARGET: usize = 32 << 10;
/// Ids in one frame's dictionary at most.
const DICTIONARY_MAX: usize = 8192;
/// Bytes per second that differences may take on one link before the pauses grow.
const RATE: u64 = 2 << 20;
/// The longest wait for an answer.
const RESEND_MAX: Duration = Duration::from_secs(2);

/// Something changed that neighbours should hear of within `wait`. Progress takes the ways that parcels take; the
/// other links tell it later, when most of it has come round already.
pub(crate) fn schedule(base: &mut Base, wait: Duration, news: bool) {
    let now = base.now;
    base.links.for_each(|link| {
        let at = now + if link.eager || news { wait } else { wait.max(SIDEWAYS) };
        link.sync.due = earliest(link.sync.due, Some(at.max(link.sync.pause_until)));
    });
}

/// A link is new: all is told from the start.
pub(crate) fn start(base: &mut Base, roster: &mut Roster, peer: Peer) {
    roster.unmark(base.links.mark(peer));
    let now = base.now;
    let rows_after = roster.stamp_before(now, RECENT);
    if let Some(link) = base.links.get_mut(peer) {
        link.sync.due = Some(now);
        link.sync.rows_after = rows_after;
    }
}

/// When some link is due.
pub(crate) fn next_deadline(base: &Base) -> Option<Instant> {
    let at = |s: &super::links::LinkSync| earliest(earliest(s.due, s.answer_by), s.resend_at);
    base.links.iter().filter_map(|l| at(&l.sync)).min()
}

/// Tells every link that is due.
pub(crate) fn on_deadline(base: &mut Base, roster: &Roster) {
    let now = base.now;
    let (mut due, mut answers): (Vec<Peer>, Vec<Peer>) = (Vec::new(), Vec::new());
    base.links.for_each(|link| {
        let s = &mut link.sync;
        if s.resend_at.is_some_and(|at| at <= now) {
            (s.sent, s.resend_at, s.timed) = (s.acked, None, None);
            s.resends += 1;
            s.due = Some(now);
        }
        if s.due.is_some_and(|at| at <= now) {
            due.push(link.peer);
        } else if s.answer_by.is_some_and(|at| at <= now) {
            answers.push(link.peer);
        }
    });
    for peer in due {
        tell(base, roster, peer);
    }
    for peer in answers {
        let mut w = Writer::new();
        answer(base, peer, &mut w);
        base.control(peer, FrameKind::SyncAck, w.finish());
    }
}

/// The pause in which changes are gathered: longer in a large group, where each change is told by many.
pub(crate) fn pause(base: &Base) -> Duration {
    base.config.delivery.progress.0 * (base.peers.len() as u32 / 32).clamp(1, 16)
}

/// Writes how far the other end has been heard, and for how many microseconds that was known.
fn answer(base: &mut Base, peer: Peer, w: &mut Writer) {
    let now = base.now;
    if let Some(link) = base.links.get_mut(peer) {
        link.sync.answer_by = None;
        let held = now.since(link.sync.heard_at).as_micros();
        w.varint(link.sync.heard).varint(u64::try_from(held).unwrap_or(u64::MAX));
    }
}

/// True for a node that never was a member in this run.
fn is_newcomer(base: &Base) -> bool {
    base.peers.get(Peer::ME).state == State::Unknown
}

/// Sends one link what it has not been told.
fn tell(base: &mut Base, roster: &Roster, peer: Peer) {
    let (me_member, newcomer) = (base.peers.get(Peer::ME).is_live(), is_newcomer(base));
    let Some(link) = base.links.get(peer) else { return };
    let (since, wanted, first) = (link.sync.sent, link.wanted, link.sync.heard == 0);
    let mut frame = Frame::gather(base, roster, peer, since);
    let upto = frame.upto;
    let complete = upto == roster.stamp;
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let flags = flag(wanted, WANTED)
        | flag(me_member, MEMBER)
        | flag(complete, COMPLETE)
        | flag(first && base.links.up().len() == 1, ALL);
    let mut w = Writer::new();
    answer(base, peer, &mut w);
    let body = frame.finish(w, flags, since, base);
    let pause = Duration::from_nanos(body.len() as u64 * 1_000_000_000 / RATE);
    let now = base.now;
    if let Some(link) = base.links.get_mut(peer) {
        let wait = link.rtt.timeout(Duration::from_millis(200)) * (1 << link.sync.resends.min(5));
        let s = &mut link.sync;
        s.due = (!complete && !newcomer).then_some(now + pause);
        s.pause_until = now + pause;
        s.sent = upto;
        s.timed = s.timed.or((s.resends == 0).then_some((upto, now)));
        s.resend_at = Some(s.resend_at.unwrap_or(now + wait.min(RESEND_MAX)));
    }
    base.control(peer, FrameKind::Sync, body);
}

/// A member's cells as a frame holds them: index of the origin, its run, the cell.
type FrameRow = (u64, Incarnation, Vec<(u64, Incarnation, Cell)>);

/// A frame being gathered.
#[derive(Default)]
struct Frame {
    upto: u64,
    ids: BTreeMap<Peer, u64>,
    order: Vec<Peer>,
    records: Vec<Bytes>,
    beliefs: Vec<(u64, Incarnation, u64, State)>,
    rows: Vec<FrameRow>,
}

impl Frame {
    /// Gathers changes after `since`, oldest first, as far as they fit.
    fn gather(base: &Base, roster: &Roster, to: Peer, since: u64) -> Frame {
        let mut frame = Frame { upto: roster.stamp, ..Frame::default() };
        if is_newcomer(base) {
            frame.upto = since; // Nothing to tell but flags; the rest once it is a member.
            return frame;
        }
        let whole = base.config.roster.scope == Scope::Group;
        let mark = base.links.mark(to);
        let mut size = 0;
        let after = base.links.get(to).map_or(0, |l| l.sync.rows_after);
        for (stamp, (peer, stream)) in roster.changes(since, after) {
            if size > FRAME_TARGET || frame.order.len() + 2 > DICTIONARY_MAX {
                frame.upto = stamp - 1;
                break;
            }
            if whole || peer == Peer::ME {
                size += match stream {
                    None => frame.add_member(base, roster, peer, mark),
                    Some(_) if peer == to => 0,
                    Some(stream) => frame.add_cell(roster, peer, stream, mark),
                };
            }
        }
        frame
    }

    fn id(&mut self, peer: Peer) -> u64 {
        let next = self.order.len() as u64;
        *self.ids.entry(peer).or_insert_with(|| {
            self.order.push(peer);
            next
        })
    }

    fn add_member(&mut self, base: &Base, roster: &Roster, peer: Peer, mark: u64) -> usize {
        let told = |m: &&Member| !m.record.is_empty() && m.known & mark == 0;
        let Some(m) = roster.get(peer).filter(told) else { return 0 };
        let e = base.peers.get(peer);
        self.records.push(m.record.clone());
        if matches!(e.state, State::Suspect | State::Dead) {
            let index = self.id(peer);
            self.beliefs.push((index, e.incarnation, e.version, e.state));
        }
        m.record.len() + 40
    }

    fn add_cell(&mut self, roster: &Roster, peer: Peer, stream: (Peer, Incarnation), mark: u64) -> usize {
        let Some(row) = roster.get(peer).map(|m| &m.row) else { return 0 };
        let Some(cell) = row.cells.get(&stream).filter(|c| c.known & mark == 0) else { return 0 };
        let (member, origin) = (self.id(peer), self.id(stream.0));
        if self.rows.last().is_none_or(|r| r.0 != member) {
            self.rows.push((member, row.incarnation, Vec::new()));
        }
        if let Some(row) = self.rows.last_mut() {
            row.2.push((origin, stream.1, *cell));
        }
        20
    }

    fn finish(&mut self, mut w: Writer, flags: u8, since: u64, base: &Base) -> Bytes {
        w.u8(flags).varint(since).varint(self.upto).varint(self.order.len() as u64);
        for &peer in &self.order {
            w.raw(&base.peers.id(peer).0);
        }
        w.varint(self.records.len() as u64);
        for record in &self.records {
            w.varint(record.len() as u64).raw(record);
        }
        w.varint(self.beliefs.len() as u64);
        for &(index, run, version, state) in &self.beliefs {
            w.varint(index).u64(run.0).varint(version).u8(u8::from(state == State::Dead));
        }
        w.varint(self.rows.len() as u64);
        for (member, run, cells) in &self.rows {
            w.varint(*member).u64(run.0).varint(cells.len() as u64);
            for (origin, run, cell) in cells {
                w.varint(*origin).u64(run.0).varint(cell.floor).varint(cell.top);
            }
        }
        w.finish()
    }
}

/// A frame with a member's own word alone: an earlier run of the same key learns from it that it has to go.
pub(crate) fn later_run(base: &Base, roster: &Roster, peer: Peer) -> Option<Bytes> {
    let record = roster.get(peer).map(|m| m.record.clone()).filter(|r| !r.is_empty())?;
    let mut w = Writer::new();
    // Nothing was heard of the other end.
    w.varint(0).varint(0);
    Some(Frame { records: vec![record], ..Frame::default() }.finish(w, 0, 0, base))
}

/// What a received frame says beyond the roster.
pub(crate) struct Heard {
    /// Streams that a member was told to be further with than known before.
    pub(crate) progress: Vec<(Peer, (Peer, Incarnation))>,
}

/// Merges a frame from a neighbour.
pub(crate) fn on_sync(
    base: &mut Base,
    roster: &mut Roster,
    from: Peer,
    body: &Bytes,
) -> Result<Heard, Forged> {
    let malformed = |_: WireError| Forged("malformed roster change");
    let mut heard = Heard { progress: Vec::new() };
    let mut r = Reader::new(body);
    on_answer(base, from, &mut r)?;
    let flags = r.u8().map_err(malformed)?;
    let (since, upto) = (r.varint().map_err(malformed)?, r.varint().map_err(malformed)?);
    let n = r.count("ids", DICTIONARY_MAX, 32).map_err(malformed)?;
    let ids = (0..n).map(|_| r.peer_id()).collect::<Result<Vec<_>, _>>().map_err(malformed)?;

    for _ in 0..r.count("records", DICTIONARY_MAX, 64).map_err(malformed)? {
        let len = r.count("record", RECORD_MAX, 1).map_err(malformed)?;
        let bytes = Bytes::copy_from_slice(r.bytes(len).map_err(malformed)?);
        roster.merge_record(base, bytes, from)?;
    }
    // Origins are interned late, so that a dictionary alone makes nobody known.
    let id = |index: u64| ids.get(index as usize).copied().ok_or(WireError::Range("id"));
    for _ in 0..r.count("beliefs", DICTIONARY_MAX, 11).map_err(malformed)? {
        let who = r.varint().and_then(id).map_err(malformed)?;
        let version = (Incarnation(r.u64().map_err(malformed)?), r.varint().map_err(malformed)?);
        let state = if r.u8().map_err(malformed)? == 0 { State::Suspect } else { State::Dead };
        if let Some(peer) = base.peers.find(&who) {
            roster.merge_belief(base, peer, version, state, from);
        }
    }
    let bound = base.config.roster.max as usize * 2;
    let mark = base.links.mark(from);
    for _ in 0..r.count("rows", DICTIONARY_MAX, 10).map_err(malformed)? {
        let who = r.varint().and_then(id).map_err(malformed)?;
        let run = Incarnation(r.u64().map_err(malformed)?);
        let member = base.peers.find(&who).filter(|&p| p != Peer::ME);
        let member = member.filter(|&p| roster.get(p).is_some_and(|m| m.row.incarnation == run));
        for _ in 0..r.count("cells", 1 << 20, 11).map_err(malformed)? {
            let origin = r.varint().and_then(id).map_err(malformed)?;
            let origin_run = Incarnation(r.u64().map_err(malformed)?);
            let (floor, top) = (r.varint().map_err(malformed)?, r.varint().map_err(malformed)?);
            if top > u64::MAX / 2 || floor > top + 1 {
                return Err(Forged("malformed roster change"));
            }
            let known = base
                .peers
                .find(&origin)
                .or_else(|| (base.peers.len() < bound).then(|| base.peers.intern(origin)));
            if let (Some(member), Some(origin)) = (member, known) {
                let stream = (origin, origin_run);
                if roster.progress(member, stream, floor, top, mark) {
                    heard.progress.push((member, stream));
                }
            }
        }
    }
    r.end().map_err(malformed)?;
    note(base, from, flags, since, upto);
    Ok(heard)
}

/// Notes how far the other end has been heard; it is told with the next change, or soon.
fn note(base: &mut Base, from: Peer, flags: u8, since: u64, upto: u64) {
    let (now, pause) = (base.now, base.config.delivery.progress.0);
    let Some(link) = base.links.get_mut(from) else { return };
    link.wanted_there = flags & WANTED != 0;
    link.member_there = flags & MEMBER != 0;
    let s = &mut link.sync;
    if flags & ALL != 0 && s.rows_after > 0 {
        (s.rows_after, s.sent, s.acked, s.timed, s.due) = (0, 0, 0, None, Some(now));
    }
    if since <= s.heard {
        s.heard = s.heard.max(upto);
        s.complete |= flags & COMPLETE != 0 && flags & MEMBER != 0;
        s.heard_at = now;
    }
    s.answer_by = s.answer_by.or(Some(now + pause));
}

/// The other end has heard up to here.
pub(crate) fn on_ack(base: &mut Base, from: Peer, body: &Bytes) -> Result<(), Forged> {
    on_answer(base, from, &mut Reader::new(body))
}

fn on_answer(base: &mut Base, from: Peer, r: &mut Reader<'_>) -> Result<(), Forged> {
    let malformed = |_: WireError| Forged("malformed roster answer");
    let (upto, held) = (r.varint().map_err(malformed)?, r.varint().map_err(malformed)?);
    let now = base.now;
    let Some(link) = base.links.get_mut(from) else { return Ok(()) };
    if let Some((mark, at)) = link.sync.timed
        && upto >= mark
    {
        link.rtt.sample(now.since(at).saturating_sub(Duration::from_micros(held)));
        link.sync.timed = None;
    }
    let s = &mut link.sync;
    if upto > s.acked && upto <= s.sent.max(s.acked) {
        s.acked = upto;
        s.resends = 0;
        s.resend_at = (s.acked < s.sent).then_some(now + link.rtt.timeout(Duration::from_millis(200)));
    } else if upto == s.sent {
        s.resend_at = None;
    }
    let rtt = link.rtt.smoothed();
    base.peers.get_mut(from).rtt = rtt;
    Ok(())
}
