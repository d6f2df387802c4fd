//! One end of a link: a state machine that is told the time and does no I/O.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;
use tertulia::link::TxBatch;
use tokio::time::Instant;

use super::burst::{Burst, Out};
use super::flow::Flow;
use super::hand::Hand;
use super::seen::Seen;
use super::sent::{Cargo, Sent};
use super::wire::{self, Key, Session};

/// A link on which nothing was sent for so long is asked for a sign of life.
const KEEP: Duration = Duration::from_secs(3);
/// A link on which nothing was heard for so long is over.
const DEAD: Duration = Duration::from_secs(10);
/// How long a single datagram waits to be acknowledged together with the next.
const ACK_DELAY: Duration = Duration::from_millis(5);
/// How long a link that closes waits for what is under way.
const FLUSH: Duration = Duration::from_millis(500);
/// How long an end stays known, for those who repeat themselves.
const LINGER: Duration = Duration::from_millis(500);
/// How often the end of a direction is told.
const FIN_TRIES: u32 = 6;
/// Probes without any answer after which everything under way counts as lost.
const PROBES: u32 = 3;
/// Records that wait to be read. The sender is told how much room is left, and sends no more than that.
const INBOX: u16 = 1024;
/// The same with what may be under way: where the path reorders, more may come than there was room for.
const INBOX_MOST: usize = INBOX as usize + 512;
/// How often a sender asks whether there is room again.
const ROOM: Duration = Duration::from_millis(200);
/// Datagrams and bytes that wait for the end of the handshake: whose they are is not known yet.
const EARLY: (usize, usize) = (64, 32 * 1024);
/// How long the end of a handshake that came to nothing is repeated.
const REFUSED: Duration = Duration::from_secs(1);
/// Memory taken at once for records that arrive; one record that is kept holds no more than this.
const CHUNK: usize = 32 * 1024;

pub(super) struct Conn {
    there: u64,
    initiator: bool,
    /// Ours and the other end's, once the handshake is over.
    keys: Option<(Key, Key)>,
    early: Vec<Vec<u8>>,
    hand: Hand,
    pub(super) sent: Sent,
    flow: Flow,
    seen: Seen,
    inbox: VecDeque<BytesMut>,
    chunk: BytesMut,
    /// Room that the other end was last told of, and the number below which it has room for ours.
    told_room: u16,
    limit: u64,
    /// Records wait for that room.
    blocked: bool,
    /// Acknowledgements sent, and the number of the last one heard.
    acks: u64,
    ack_heard: Option<u64>,
    /// Datagrams not acknowledged yet, and when the last one came that was the highest.
    owed: u32,
    torn: bool,
    highest_at: Instant,
    ack_at: Option<Instant>,
    heard: Instant,
    /// When something was last sent that is to be acknowledged.
    asked: Instant,
    probes: u32,
    /// Records may leave again.
    pace_at: Option<Instant>,
    end: End,
}

/// How far the two directions are from their ends.
#[derive(Debug, Default)]
struct End {
    /// This side sends no more records; since then.
    closing: Option<Instant>,
    /// This side reads no more either.
    gone: bool,
    /// What the last end that was sent said, and whether it arrived.
    told: Option<bool>,
    told_ok: bool,
    tries: u32,
    /// The other side sends no more.
    rx: bool,
    /// The other side reads no more, or cannot be reached.
    tx: bool,
    lapsed: bool,
}

impl Conn {
    pub(super) fn new(there: u64, initiator: bool, resend: u8, now: Instant) -> Self {
        Conn {
            there,
            initiator,
            keys: None,
            early: Vec::new(),
            hand: Hand::default(),
            sent: Sent::new(resend),
            flow: Flow::new(),
            seen: Seen::new(),
            inbox: VecDeque::new(),
            chunk: BytesMut::new(),
            told_room: INBOX,
            limit: INBOX.into(),
            blocked: false,
            acks: 0,
            ack_heard: None,
            owed: 0,
            torn: false,
            highest_at: now,
            ack_at: None,
            heard: now,
            asked: now,
            probes: 0,
            pace_at: None,
            end: End::default(),
        }
    }

    /// The id at which the other end is addressed.
    pub(super) fn there(&self) -> u64 {
        self.there
    }

    /// The handshake is over.
    pub(super) fn established(&mut self, key: &Key, now: Instant, out: &mut Out) {
        let (forth, back) = wire::keys(key);
        self.keys = Some(if self.initiator { (forth, back) } else { (back, forth) });
        (self.heard, self.asked) = (now, now);
        for datagram in std::mem::take(&mut self.early) {
            self.on_session(now, &datagram, out);
        }
        self.settle_up(now, out);
    }

    /// True once records may be sent.
    pub(super) fn is_established(&self) -> bool {
        self.keys.is_some()
    }

    // ---- what arrives ----

    pub(super) fn on_hand(&mut self, now: Instant, number: u8, message: Option<&[u8]>, out: &mut Out) {
        if self.hand.receive(self.there, number, message, out) {
            self.heard = now;
        }
        if self.end.gone {
            self.hand.drop_arrived();
        }
        // Nobody vouches for an end without a key: it counts for a handshake only.
        if self.hand.ended && !self.is_established() {
            (self.end.rx, self.end.tx) = (true, true);
        }
    }

    pub(super) fn on_heard(&mut self, number: u8) {
        self.hand.heard(number);
    }

    /// A datagram of the link that is up.
    pub(super) fn on_session(&mut self, now: Instant, bytes: &[u8], out: &mut Out) {
        let Some((_, key)) = &self.keys else {
            let held: usize = self.early.iter().map(Vec::len).sum();
            if self.end.closing.is_none() && self.early.len() < EARLY.0 && held + bytes.len() <= EARLY.1 {
                self.early.push(bytes.to_vec());
            }
            return;
        };
        let Some((number, session)) = Session::open(key, bytes) else { return };
        if let Session::Ack(report) = session {
            if self.ack_heard.is_some_and(|last| number <= last) {
                return;
            }
            (self.ack_heard, self.heard) = (Some(number), now);
            self.limit = self.limit.max(report.highest + 1 + u64::from(report.room));
            self.blocked &= self.sent.next() >= self.limit;
            let settled = self.sent.report(now, &report, &mut self.flow);
            if settled.acked > 0 {
                self.probes = 0;
            }
            if settled.fin {
                self.end.told_ok = true;
            }
            return self.advance(now, out);
        }
        if !self.seen.is_new(number) {
            // Its acknowledgement was lost, perhaps.
            self.owed += 1;
            return;
        }
        if let Session::Record(record) = session {
            if self.inbox.len() >= INBOX_MOST {
                return;
            }
            self.take(record);
        }
        self.torn |= self.seen.is_torn(number);
        if self.seen.note(number) {
            self.highest_at = now;
        }
        self.heard = now;
        self.owed += 1;
        if let Session::Fin { gone } = session {
            self.end.rx = true;
            if gone {
                self.end.tx = true;
                self.sent.clear();
            }
        }
    }

    fn take(&mut self, record: &[u8]) {
        if self.end.gone || self.end.rx {
            return;
        }
        if self.chunk.capacity() < record.len() {
            self.chunk = BytesMut::with_capacity(if self.inbox.is_empty() {
                record.len()
            } else {
                CHUNK.max(record.len())
            });
        }
        self.chunk.extend_from_slice(record);
        self.inbox.push_back(self.chunk.split());
    }

    /// All datagrams of a batch were handed over: acknowledges them now or soon.
    pub(super) fn settle_up(&mut self, now: Instant, out: &mut Out) {
        if self.owed >= 2 || self.torn {
            self.ack(now, out);
        } else if self.owed > 0 {
            self.ack_at.get_or_insert(now + ACK_DELAY);
        }
    }

    fn ack(&mut self, now: Instant, out: &mut Out) {
        let Some((key, _)) = &self.keys else { return };
        let delay = now.saturating_duration_since(self.highest_at).as_micros();
        self.told_room = self.room();
        let report = self.seen.report(u32::try_from(delay).unwrap_or(u32::MAX), self.told_room);
        out.session(key, self.there, self.acks, &Session::Ack(report));
        self.acks += 1;
        (self.owed, self.torn, self.ack_at) = (0, false, None);
    }

    fn room(&self) -> u16 {
        INBOX.saturating_sub(u16::try_from(self.inbox.len()).unwrap_or(INBOX))
    }

    // ---- what is read ----

    /// Records were read: a sender that may wait for room hears of it.
    pub(super) fn made_room(&mut self, now: Instant, out: &mut Out) {
        if self.told_room < INBOX / 2 && self.room() >= INBOX / 2 {
            self.ack(now, out);
        }
    }

    pub(super) fn pop_hand(&mut self) -> Option<Vec<u8>> {
        self.hand.pop()
    }

    pub(super) fn pop_record(&mut self) -> Option<BytesMut> {
        self.inbox.pop_front()
    }

    /// True when nothing more will be there to read.
    pub(super) fn is_read_out(&self) -> bool {
        (self.end.rx || self.end.lapsed) && self.inbox.is_empty() && !self.hand.has_arrived()
    }

    /// True when a reader should look.
    pub(super) fn is_readable(&self) -> bool {
        self.end.rx || self.end.lapsed || !self.inbox.is_empty() || self.hand.has_arrived()
    }

    // ---- what is sent ----

    /// Sends a message of the handshake; false when too many are under way.
    pub(super) fn send_hand(&mut self, now: Instant, message: &[u8], out: &mut Out) -> bool {
        self.hand.send(now, self.there, Some(message), out)
    }

    /// True when records are sent to nobody.
    pub(super) fn is_deaf(&self) -> bool {
        self.end.tx || self.end.lapsed || self.end.closing.is_some()
    }

    /// Puts into `burst` what may leave now: first records to be sent again, then those of `batch`.
    pub(super) fn fill(&mut self, now: Instant, batch: &TxBatch, segments: usize, burst: &mut Burst) {
        burst.begin(0);
        let Some((key, _)) = &self.keys else { return };
        if batch.is_empty() && !self.sent.has_again() {
            return;
        }
        self.blocked = self.sent.next() >= self.limit;
        if self.blocked {
            return;
        }
        let room = usize::try_from(self.limit - self.sent.next()).unwrap_or(usize::MAX);
        let quota = match self.flow.quota(now, self.sent.under_way()) {
            Ok(quota) => quota,
            Err(at) => {
                self.pace_at = at;
                return;
            }
        };
        self.pace_at = None;
        burst.begin(quota.min(segments).min(room));
        let records = self.sent.again().chain(batch.records());
        for (number, record) in (self.sent.next()..).zip(records) {
            if !burst.add(key, self.there, number, record) {
                break;
            }
        }
    }

    /// The burst left. How many records of `batch` were in it.
    pub(super) fn commit(&mut self, now: Instant, batch: &TxBatch, burst: &Burst) -> usize {
        let mut count = 0;
        while count < burst.count && self.sent.has_again() {
            self.sent.resent(now);
            count += 1;
        }
        let fresh = burst.count - count;
        batch.records().take(fresh).for_each(|record| self.sent.record(now, record));
        self.flow.sent(burst.count);
        self.asked = now;
        fresh
    }

    /// The system takes no more just now.
    pub(super) fn stall(&mut self, now: Instant) {
        self.pace_at = Some(now + Duration::from_millis(1));
    }

    // ---- the end ----

    /// This side sends no more; `gone`: and reads no more.
    pub(super) fn close(&mut self, now: Instant, gone: bool, out: &mut Out) {
        self.end.gone |= gone;
        if self.end.gone {
            self.inbox.clear();
            self.early = Vec::new();
            self.hand.drop_arrived();
        }
        if self.end.closing.is_none() {
            self.end.closing = Some(now);
            if !self.is_established() && !self.hand.ended {
                self.hand.send(now, self.there, None, out);
            }
        }
        self.advance(now, out);
    }

    /// True when this side's end is known to the other, or all was tried.
    pub(super) fn is_closed(&self) -> bool {
        let tried = !self.is_established() || self.end.told_ok || self.end.tries >= FIN_TRIES;
        self.end.tx || self.end.lapsed || self.end.closing.is_some() && tried
    }

    /// True when the link may be forgotten.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let told = self.end.told == Some(true) && self.end.told_ok || self.end.rx;
        let said = self.is_closed() && (told || self.end.tx || self.end.tries >= FIN_TRIES);
        let rested = self.end.closing.is_some_and(|at| now >= at + LINGER);
        let refused = self.end.closing.is_some_and(|at| now >= at + REFUSED);
        let quiet = if self.is_established() { said } else { self.hand.is_idle() || refused };
        self.end.lapsed || self.end.gone && quiet && rested
    }

    /// Tells the end of this direction once everything before it is settled.
    fn advance(&mut self, now: Instant, out: &mut Out) {
        let (Some(closing), Some((key, _))) = (self.end.closing, &self.keys) else { return };
        let news = self.end.told != Some(self.end.gone) && !(self.end.told.is_some() && self.end.rx);
        if news && self.end.told_ok {
            (self.end.told_ok, self.end.tries) = (false, 0);
        }
        let flushed = self.sent.is_idle() || now >= closing + FLUSH;
        if self.end.tx || self.end.told_ok || !flushed || self.sent.has_fin() || self.end.tries >= FIN_TRIES {
            return;
        }
        let gone = self.end.gone;
        out.session(key, self.there, self.sent.next(), &Session::Fin { gone });
        self.sent.push(now, Cargo::Fin);
        (self.end.told, self.asked) = (Some(gone), now);
        self.end.tries += 1;
    }

    // ---- time ----

    /// When something is due; `waits`: somebody waits to send.
    pub(super) fn deadline(&self, now: Instant, waits: bool) -> Option<Instant> {
        if self.end.lapsed {
            return None;
        }
        let linger = self.end.closing.map(|at| at + LINGER).filter(|at| self.end.gone && *at > now);
        let pace = self.pace_at.filter(|_| waits || self.sent.has_again());
        let always = [self.hand.deadline(), linger, pace].into_iter().flatten().min();
        if !self.is_established() {
            return always;
        }
        let flush = self.end.closing.map(|at| at + FLUSH).filter(|_| self.end.tries == 0 && !self.end.tx);
        let ask = self.ask_at();
        let lost = self.sent.lost_at(self.flow.round_trip());
        [always, self.ack_at, lost, flush, Some(ask), Some(self.heard + DEAD)].into_iter().flatten().min()
    }

    /// When the other end is asked for a sign of life, or for room.
    fn ask_at(&self) -> Instant {
        let wait = if self.sent.under_way() > 0 {
            (self.flow.probe_after() * 2u32.pow(self.probes.min(5))).min(Duration::from_secs(2))
        } else if self.blocked {
            ROOM
        } else {
            KEEP
        };
        self.asked + wait
    }

    pub(super) fn on_deadline(&mut self, now: Instant, out: &mut Out) {
        self.hand.on_deadline(now, self.there, out);
        if self.pace_at.is_some_and(|at| at <= now) {
            self.pace_at = None;
        }
        if !self.is_established() {
            return;
        }
        if now >= self.heard + DEAD {
            self.end.lapsed = true;
            self.sent.clear();
            return;
        }
        if self.ack_at.is_some_and(|at| at <= now) {
            self.ack(now, out);
        }
        let lost = self.sent.find_lost(now, self.flow.round_trip());
        self.flow.lost(lost);
        if now >= self.ask_at() {
            if self.sent.under_way() > 0 {
                self.probes += 1;
                if self.probes >= PROBES {
                    self.flow.silence();
                    self.sent.lose_all();
                }
            } else if !self.blocked {
                self.sent.rest();
                self.chunk = BytesMut::new();
            }
            self.ping(now, out);
        }
        self.advance(now, out);
    }

    fn ping(&mut self, now: Instant, out: &mut Out) {
        let Some((key, _)) = &self.keys else { return };
        out.session(key, self.there, self.sent.next(), &Session::Ping);
        self.sent.push(now, Cargo::Nothing);
        self.asked = now;
    }
}

#[cfg(test)]
mod tests;
