//! The roster: who is a member, under which nick, in which state, and how far each one is.
//!
//! Every member signs a [`Record`] of itself; the highest (incarnation, version) of a member counts. What others
//! believe of it (suspect, dead) is bound to that version, so the member refutes by signing a higher one. Records,
//! beliefs and delivery progress travel by [`sync`](super::sync); merging them is idempotent and commutative.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::api::{CloseReason, Event};
use super::base::Base;
use super::record::Record;
use crate::id::{Incarnation, Peer};
use crate::peers::{Addr, NICK_MAX, State};
use crate::time::{Instant, earliest};

/// How far a member is with one stream: it keeps `floor..=top` and has delivered up to `top`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) floor: u64,
    pub(crate) top: u64,
    pub(crate) changed: u64,
    /// Marks of the links whose other ends told the same.
    pub(crate) known: u64,
}

/// How far a member is with every stream that it knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) incarnation: Incarnation,
    pub(crate) cells: BTreeMap<(Peer, Incarnation), Cell>,
}

/// Something that changed: a member's record or what is believed of it, or one cell of its row.
pub(crate) type Item = (Peer, Option<(Peer, Incarnation)>);

/// Runs of one origin that a row holds at most, and streams in all.
const RUNS_MAX: usize = 4;
const CELLS_MAX: usize = 4096;
/// The log of changes is not cleared below this length.
const LOG_MIN: usize = 64;

impl Row {
    /// Makes room for one more stream; only the highest runs of an origin are held.
    fn make_room(&mut self, (origin, run): (Peer, Incarnation)) -> bool {
        let all = (origin, Incarnation(0))..=(origin, Incarnation(u64::MAX));
        let mut runs = self.cells.range(all).map(|(id, _)| *id);
        let (lowest, more) = (runs.next(), runs.count() + 1 >= RUNS_MAX);
        match lowest {
            Some(lowest) if more && lowest.1 > run => return false,
            Some(lowest) if more => drop(self.cells.remove(&lowest)),
            _ => {}
        }
        self.cells.len() < CELLS_MAX
    }
}

/// What is kept of one member beside its entry in the table of peers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(crate) record: Bytes,
    pub(crate) changed: u64,
    /// Marks of the links whose other ends told the same.
    pub(crate) known: u64,
    /// When a suspect is declared dead.
    pub(crate) verdict: Option<Instant>,
    /// When it died or left.
    pub(crate) gone: Option<Instant>,
    /// When it last showed a suspicion to be wrong.
    pub(crate) refuted: Option<Instant>,
    pub(crate) row: Row,
}

/// Whose fault it is that something could not be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged(pub(crate) &'static str);

/// All members known.
#[derive(Clone)]
pub(crate) struct Roster {
    slots: Vec<Option<Box<Member>>>,
    me: Record,
    /// Counts changes; every changed item carries the count of its change.
    pub(crate) stamp: u64,
    /// Changes in order; only the last of an item counts.
    log: Vec<(u64, Item)>,
    /// Length at which the log is cleared of outdated changes.
    clear_at: usize,
    /// The count of changes when the log was last looked at.
    looked_at: u64,
    /// How high the count stood at some times of the last minute.
    times: VecDeque<(Instant, u64)>,
    /// Counts changes of who is live.
    pub(crate) generation: u64,
    /// Peers whose membership changed since the topology was last told.
    pub(crate) news: Vec<Peer>,
    /// A higher run of this node's own key was seen.
    pub(crate) superseded: bool,
    next_verdict: Option<Instant>,
}

impl Roster {
    pub(crate) fn new(me: Record) -> Self {
        let row = Row { incarnation: me.incarnation, ..Row::default() };
        Roster {
            slots: vec![Some(Box::new(Member { row, ..Member::default() }))],
            me,
            stamp: 1,
            log: Vec::new(),
            clear_at: LOG_MIN,
            looked_at: 0,
            times: VecDeque::new(),
            generation: 1,
            news: Vec::new(),
            superseded: false,
            next_verdict: None,
        }
    }

    pub(crate) fn get(&self, peer: Peer) -> Option<&Member> {
        self.slots.get(peer.index())?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, peer: Peer) -> Option<&mut Member> {
        self.slots.get_mut(peer.index())?.as_deref_mut()
    }

    pub(crate) fn entry(&mut self, peer: Peer) -> &mut Member {
        if self.slots.len() <= peer.index() {
            self.slots.resize_with(peer.index() + 1, || None);
        }
        self.slots[peer.index()].get_or_insert_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Peer, &Member)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(i, slot)| Some((Peer(i as u32), slot.as_deref()?)))
    }

    /// Notes a change: its count.
    fn mark(&mut self, item: Item) -> u64 {
        self.stamp += 1;
        self.log.push((self.stamp, item));
        if self.log.len() > self.clear_at {
            self.clear_log();
        }
        self.stamp
    }

    /// Clears the log of outdated changes.
    fn clear_log(&mut self) {
        let mut log = core::mem::take(&mut self.log);
        log.retain(|(stamp, item)| *stamp == self.stamp || self.is_last(*stamp, *item));
        self.clear_at = log.len() * 2 + LOG_MIN;
        self.log = log;
    }

    /// Gives memory back once nothing changes any more. Called now and then.
    pub(crate) fn rest(&mut self) {
        let calm = core::mem::replace(&mut self.looked_at, self.stamp) == self.stamp;
        if calm && self.log.capacity() > self.log.len() {
            self.clear_log();
            self.log.shrink_to_fit();
        }
    }

    /// True when an item has not changed again since.
    fn is_last(&self, stamp: u64, (peer, stream): Item) -> bool {
        self.get(peer).is_some_and(|m| match stream {
            None => m.changed == stamp,
            Some(stream) => m.row.cells.get(&stream).is_some_and(|c| c.changed == stamp),
        })
    }

    /// What changed after `since`, in order, each item once; of third parties' progress only what changed after
    /// `rows_after`.
    pub(crate) fn changes(&self, since: u64, rows_after: u64) -> impl Iterator<Item = (u64, Item)> {
        let at = self.log.partition_point(|(stamp, _)| *stamp <= since);
        let told = move |(stamp, (peer, stream)): &(u64, Item)| {
            *stamp > rows_after || stream.is_none() || *peer == Peer::ME
        };
        self.log[at..].iter().copied().filter(told).filter(|(stamp, item)| self.is_last(*stamp, *item))
    }

    /// The count of changes that stood this long ago, or a little earlier.
    pub(crate) fn stamp_before(&mut self, now: Instant, ago: Duration) -> u64 {
        while self.times.len() > 1 && now.since(self.times[1].0) >= ago {
            self.times.pop_front();
        }
        self.times.front().filter(|(at, _)| now.since(*at) >= ago).map_or(0, |(_, stamp)| *stamp)
    }

    /// Remembers now and then how high the count stands.
    pub(crate) fn note_time(&mut self, now: Instant) {
        const MOST: usize = 64;
        if self.times.back().is_none_or(|(at, _)| now.since(*at) >= Duration::from_secs(1)) {
            self.times.push_back((now, self.stamp));
            if self.times.len() > MOST {
                self.times.pop_front();
            }
        }
    }

    /// This node's own nick.
    pub(crate) fn nick(&self) -> &Arc<str> {
        &self.me.nick
    }

    /// Changes what this node says of itself, and says it if it is a member.
    pub(crate) fn restate(&mut self, base: &mut Base, change: impl FnOnce(&mut Record)) {
        change(&mut self.me);
        self.me.version += 1;
        if base.peers.get(Peer::ME).state != State::Unknown {
            self.publish(base);
        }
    }

    /// Sets nick and claim before this node is a member.
    pub(crate) fn claim(&mut self, nick: Arc<str>) {
        self.me.nick = nick;
    }

    pub(crate) fn claimed_at(&self) -> u64 {
        self.me.claimed_at
    }

    /// Becomes a member.
    pub(crate) fn activate(&mut self, base: &mut Base) {
        self.me.version += 1;
        self.publish(base);
    }

    fn publish(&mut self, base: &mut Base) {
        let bytes = self.me.sign(&*base.auth);
        let record = self.me.clone();
        self.adopt(base, Peer::ME, &record, bytes, 0);
    }

    /// Merges a record that a neighbour told.
    pub(crate) fn merge_record(&mut self, base: &mut Base, bytes: Bytes, from: Peer) -> Result<(), Forged> {
        let record = Record::parse(&bytes).map_err(|_| Forged("malformed member record"))?;
        let known = base.peers.find(&record.id);
        if let Some(peer) = known {
            let e = base.peers.get(peer);
            let newer = (record.incarnation, record.version) > (e.incarnation, e.version);
            if peer == Peer::ME {
                self.superseded |=
                    record.incarnation > base.incarnation && record.verify(&bytes, &*base.auth);
                return Ok(());
            }
            let mark = base.links.mark(from);
            // Whoever believes nothing of it yet is still to be told what is believed here.
            let same = (e.incarnation, e.version) == (record.incarnation, record.version)
                && !matches!(e.state, State::Suspect | State::Dead);
            if !newer && let Some(m) = self.get_mut(peer).filter(|m| !m.record.is_empty()) {
                m.known |= if same { mark } else { 0 };
                return Ok(());
            }
        } else if base.peers.len() >= base.config.roster.max as usize * 2 {
            return Ok(());
        }
        if !record.verify(&bytes, &*base.auth) {
            return Err(Forged("forged member record"));
        }
        let peer = base.peers.intern(record.id);
        let mark = base.links.mark(from);
        self.adopt(base, peer, &record, bytes, mark);
        self.settle_nick(base);
        Ok(())
    }

    fn adopt(&mut self, base: &mut Base, peer: Peer, record: &Record, bytes: Bytes, known: u64) {
        let stamp = self.mark((peer, None));
        let m = self.entry(peer);
        (m.record, m.changed, m.known) = (bytes, stamp, known);
        if m.row.incarnation < record.incarnation {
            m.row = Row { incarnation: record.incarnation, ..Row::default() };
        }
        let e = base.peers.get_mut(peer);
        let (state, nick, run) = (e.state, e.nick.clone(), e.incarnation);
        e.incarnation = record.incarnation;
        e.version = record.version;
        e.nick = record.nick.clone();
        e.claimed_at = record.claimed_at;
        e.seal_key = record.seal_key;
        e.addrs.clone_from(&record.addrs);
        if base.ready && !nick.is_empty() && nick != record.nick && !record.left {
            base.event(Event::Renamed { peer: record.id, old: nick, new: record.nick.clone() });
        }
        let restarted = state == State::Alive && run < record.incarnation;
        let next = if record.left { State::Left } else { State::Alive };
        let reason = if record.left {
            "left"
        } else if restarted || run < record.incarnation {
            "restarted"
        } else {
            "refuted"
        };
        if restarted && peer != Peer::ME && base.ready {
            base.event(Event::Recovered(base.who(peer), reason));
        }
        if matches!(state, State::Suspect | State::Dead)
            && let Some(m) = self.get_mut(peer)
        {
            m.refuted = Some(base.now);
        }
        self.set_state(base, peer, next, reason);
        self.news.push(peer);
    }

    /// Merges what a neighbour believes of a member's version.
    pub(crate) fn merge_belief(
        &mut self,
        base: &mut Base,
        peer: Peer,
        version: (Incarnation, u64),
        state: State,
        from: Peer,
    ) {
        let e = base.peers.get(peer);
        if (e.incarnation, e.version) != version {
            return;
        }
        let mark = base.links.mark(from);
        if state <= e.state || !e.state.is_live() {
            let same = state == e.state;
            self.get_mut(peer).filter(|_| same).into_iter().for_each(|m| m.known |= mark);
            return;
        }
        if peer == Peer::ME {
            // Somebody misses this node: a higher version refutes.
            self.restate(base, |_| {});
            return;
        }
        match state {
            State::Suspect => self.suspect(base, peer, "others get no answer"),
            State::Dead => self.bury(base, peer, "declared dead by others"),
            _ => return,
        }
        if let Some(m) = self.get_mut(peer) {
            m.known = mark;
        }
    }

    /// A member does not answer: unless it refutes, it will be declared dead.
    pub(crate) fn suspect(&mut self, base: &mut Base, peer: Peer, reason: &'static str) {
        if base.peers.get(peer).state != State::Alive || peer == Peer::ME {
            return;
        }
        let verdict = base.now + base.config.detector.suspicion.0;
        self.set_state(base, peer, State::Suspect, reason);
        self.touch(peer);
        if let Some(m) = self.get_mut(peer) {
            m.verdict = Some(verdict);
        }
        self.next_verdict = earliest(self.next_verdict, Some(verdict));
    }

    /// A suspect's time is shortened: there is more evidence against it.
    pub(crate) fn hasten(&mut self, peer: Peer, verdict: Instant) {
        if let Some(m) = self.get_mut(peer)
            && let Some(v) = m.verdict
            && verdict < v
        {
            m.verdict = Some(verdict);
            self.next_verdict = earliest(self.next_verdict, Some(verdict));
        }
    }

    fn bury(&mut self, base: &mut Base, peer: Peer, reason: &'static str) {
        self.set_state(base, peer, State::Dead, reason);
        self.touch(peer);
        let fresh = base.now.since(base.links.get(peer).map_or(Instant::ZERO, |l| l.heard));
        if fresh > base.config.detector.interval.0 * 2 {
            base.close(peer, CloseReason::Dead);
        }
    }

    fn touch(&mut self, peer: Peer) {
        let stamp = self.mark((peer, None));
        if let Some(m) = self.get_mut(peer) {
            (m.changed, m.known) = (stamp, 0);
        }
        self.news.push(peer);
    }

    fn set_state(&mut self, base: &mut Base, peer: Peer, state: State, reason: &'static str) {
        let before = core::mem::replace(&mut base.peers.get_mut(peer).state, state);
        if let Some(m) = self.get_mut(peer) {
            m.verdict = None;
            m.gone = (!state.is_live()).then_some(base.now);
        }
        if before == state {
            return;
        }
        if before.is_live() != state.is_live() {
            self.generation += 1;
        }
        if !base.ready || peer == Peer::ME {
            return;
        }
        let who = base.who(peer);
        match (before, state) {
            (State::Unknown | State::Left, State::Alive) => base.event(Event::Joined(who)),
            (State::Suspect | State::Dead, State::Alive) => base.event(Event::Recovered(who, reason)),
            (_, State::Suspect) => base.event(Event::Suspect(who, reason)),
            (_, State::Dead) => base.event(Event::Dead(who, reason)),
            (State::Unknown, State::Left) => {}
            (_, State::Left) => base.event(Event::Left(who, reason)),
            _ => {}
        }
    }

    /// Of two live members with one nick the smaller (claimed-at, id) keeps it; the other finds another.
    pub(crate) fn settle_nick(&mut self, base: &mut Base) {
        if !base.peers.get(Peer::ME).is_live() {
            return;
        }
        let mine = (self.me.claimed_at, self.me.id);
        let taken = |nick: &str| {
            base.peers.live().any(|(p, e)| p != Peer::ME && *e.nick == *nick && (e.claimed_at, e.id) < mine)
        };
        if !taken(&self.me.nick) {
            return;
        }
        let hex = self.me.id.to_string();
        let free = (4..=16).map(|digits| suffixed(&self.me.nick, &hex[..digits])).find(|n| !taken(n));
        if let Some(nick) = free {
            self.restate(base, |r| r.nick = nick);
        }
    }

    /// A nick for a newcomer whose default one is taken.
    pub(crate) fn free_nick(base: &Base, wanted: &str) -> Arc<str> {
        let taken = |nick: &str| base.peers.nick_holder(nick).is_some_and(|p| p != Peer::ME);
        if !taken(wanted) {
            return wanted.into();
        }
        let numbered = (2..100).map(|n: u32| suffixed(wanted, &n.to_string())).find(|n| !taken(n));
        numbered.unwrap_or_else(|| suffixed(wanted, &base.me().to_string()[..8]))
    }

    /// Passes due verdicts; forgets who is gone for long and has left nothing behind.
    pub(crate) fn on_deadline(&mut self, base: &mut Base) {
        if self.next_verdict.is_none_or(|v| v > base.now) {
            return;
        }
        let due: Vec<Peer> =
            self.iter().filter(|(_, m)| m.verdict.is_some_and(|v| v <= base.now)).map(|(p, _)| p).collect();
        for peer in due {
            self.bury(base, peer, "no answer");
        }
        self.next_verdict = self.iter().filter_map(|(_, m)| m.verdict).min();
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next_verdict
    }

    /// Time stood still for this node: whoever was suspected gets that time on top.
    pub(crate) fn postpone(&mut self, by: Duration) {
        for m in self.slots.iter_mut().flatten() {
            m.verdict = m.verdict.map(|v| v + by);
        }
        self.next_verdict = self.next_verdict.map(|v| v + by);
    }

    /// Members gone for longer than `roster.forget`.
    pub(crate) fn stale(&self, base: &Base) -> Vec<Peer> {
        let old = |m: &Member| m.gone.is_some_and(|g| base.now.since(g) > base.config.roster.forget.0);
        self.iter().filter(|(_, m)| old(m)).map(|(p, _)| p).collect()
    }

    pub(crate) fn forget(&mut self, peer: Peer) {
        if let Some(slot) = self.slots.get_mut(peer.index()) {
            *slot = None;
        }
        for m in self.slots.iter_mut().flatten() {
            m.row.cells.retain(|(origin, _), _| *origin != peer);
        }
    }

    /// Notes how far a member is with a stream, as told over the link with this mark. True when that is news.
    pub(crate) fn progress(
        &mut self,
        member: Peer,
        stream: (Peer, Incarnation),
        floor: u64,
        top: u64,
        mark: u64,
    ) -> bool {
        let stamp = self.stamp + 1;
        let Some(m) = self.get_mut(member) else { return false };
        if let Some(cell) = m.row.cells.get_mut(&stream) {
            if (top, floor) == (cell.top, cell.floor) {
                cell.known |= mark;
            }
            if top < cell.top || (top == cell.top && floor <= cell.floor) {
                return false;
            }
            *cell = Cell { floor, top, changed: stamp, known: mark };
        } else if m.row.make_room(stream) {
            m.row.cells.insert(stream, Cell { floor, top, changed: stamp, known: mark });
        } else {
            return false;
        }
        self.mark((member, Some(stream)));
        true
    }

    /// A link is new: nothing is known of what its other end knows.
    pub(crate) fn unmark(&mut self, mark: u64) {
        for m in self.slots.iter_mut().flatten() {
            m.known &= !mark;
            m.row.cells.values_mut().for_each(|c| c.known &= !mark);
        }
    }

    /// How far a member is with a stream.
    pub(crate) fn cell(&self, member: Peer, stream: (Peer, Incarnation)) -> Option<&Cell> {
        self.get(member)?.row.cells.get(&stream)
    }

    /// Where this node can be dialled changed.
    pub(crate) fn readdress(&mut self, base: &mut Base, addrs: Vec<Addr>) {
        if self.me.addrs != addrs {
            base.peers.get_mut(Peer::ME).addrs.clone_from(&addrs);
            self.restate(base, |r| r.addrs = addrs);
        }
    }
}

/// `nick-suffix`, cut so that it stays a nick.
pub(crate) fn suffixed(nick: &str, suffix: &str) -> Arc<str> {
    let mut end = nick.len().min(NICK_MAX - suffix.len() - 1);
    while !nick.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{suffix}", &nick[..end]).into()
}
