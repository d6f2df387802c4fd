//! One's own group messages: formed into parcels, held back by a window, followed until everybody has them.
//!
//! The window is end to end: a member that lacks `delivery.window` bytes of this node's parcels holds the next one
//! back, so that a flood runs at the pace of the slowest. A member that does not move for `delivery.stall` holds
//! nothing back: it is repaired later from what others keep. While it catches up it may lack up to half of what
//! history keeps.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::Engine;
use super::super::api::Event;
use super::receive::Arrival;
use super::stream::Kept;
use crate::id::{Digest, Peer};
use crate::message::Draft;
use crate::parcel::{Header, Parcel, Scope};
use crate::time::{Instant, earliest};
use crate::topology::Novelty;

/// How far a member is with this node's parcels.
#[derive(Clone, Copy, Debug)]
struct Ack {
    top: u64,
    at: Instant,
    /// It stood still while others went on.
    behind: bool,
}

/// A parcel on its way to everybody.
#[derive(Clone, Debug)]
struct Track {
    number: u64,
    seqs: (u64, u64),
    at: Instant,
    members: Arc<[Peer]>,
}

/// State of one's own group stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    number: u64,
    next_seq: u64,
    prev: Digest,
    acks: BTreeMap<Peer, Ack>,
    /// When each parcel that somebody lacks was published, and bytes published up to it.
    ledger: VecDeque<(Instant, u64)>,
    /// Number of the first parcel in the ledger, and bytes published before it.
    ledger_first: u64,
    ledger_base: u64,
    /// Bytes published.
    published: u64,
    /// Bytes that the slowest member in step has.
    slowest: u64,
    held: bool,
    held_until: Option<Instant>,
    tracks: VecDeque<Track>,
    /// The last one that was told to be late.
    late: Option<Track>,
    members: Option<(u64, Arc<[Peer]>)>,
    /// Smoothed time from publishing to the slowest answer.
    delay: Duration,
}

impl Own {
    pub(crate) fn forget(&mut self, peer: Peer) {
        self.acks.remove(&peer);
        if let Some(late) = &mut self.late {
            late.members = late.members.iter().copied().filter(|&p| p != peer).collect();
        }
    }

    pub(crate) fn next_deadline(&self, delivered_after: Duration) -> Option<Instant> {
        let partial = self.tracks.front().map(|t| t.at + delivered_after);
        earliest(partial, self.held_until.filter(|_| self.held))
    }

    /// When a parcel was published, if the ledger still knows.
    fn published_at(&self, number: u64) -> Option<Instant> {
        let index = number.checked_sub(self.ledger_first)?;
        self.ledger.get(usize::try_from(index).ok()?).map(|e| e.0)
    }

    /// Bytes published up to a parcel.
    fn bytes_upto(&self, number: u64) -> u64 {
        let index = number.checked_sub(self.ledger_first).and_then(|i| usize::try_from(i).ok());
        match index {
            None => self.ledger_base,
            Some(i) => self.ledger.get(i).map_or(self.published, |e| e.1),
        }
    }
}

impl Engine {
    /// True when the group's window has room for another parcel, and the topology somewhere to send it.
    #[must_use]
    pub fn can_publish(&self) -> bool {
        !self.delivery.own.held && self.topology.accepts()
    }

    /// True when everything published has reached every member in step.
    pub(crate) fn all_delivered(&self) -> bool {
        self.delivery.own.tracks.is_empty() && self.delivery.direct.is_idle()
    }

    /// True when all that was published is known to be where it should be, with every member that has not gone since.
    #[must_use]
    pub fn has_delivered_all(&self) -> bool {
        let on_time = self.delivery.own.late.as_ref().is_none_or(|track| {
            let (reached, of) = self.reached(track);
            reached == of
        });
        on_time && self.all_delivered()
    }

    /// Members that have a parcel, and those that should.
    fn reached(&self, track: &Track) -> (u32, u32) {
        let id = (Peer::ME, self.base.incarnation);
        let live = |p: &&Peer| self.base.peers.get(**p).is_live();
        let has = |p: &Peer| self.roster.cell(*p, id).is_some_and(|c| c.top >= track.number);
        track
            .members
            .iter()
            .filter(live)
            .fold((0, 0), |(reached, of), p| (reached + u32::from(has(p)), of + 1))
    }

    /// Makes consecutive messages a parcel and sends it on its way.
    pub(crate) fn publish_group(&mut self, draft: Draft) {
        let own = &mut self.delivery.own;
        own.number += 1;
        own.next_seq = own.next_seq.max(1);
        let header = Header {
            scope: Scope::Group,
            epoch: self.base.epoch,
            origin: self.base.peers.id(Peer::ME),
            incarnation: self.base.incarnation,
            number: own.number,
            first_seq: own.next_seq,
            count: draft.count(),
            prev: own.prev,
            before: if own.number == 1 { self.before } else { Default::default() },
        };
        let (parcel, digest) = Parcel::sign(header, draft, &*self.base.auth);
        own.prev = digest;
        own.next_seq = parcel.end_seq();
        own.published += parcel.bytes().len() as u64;
        if own.ledger.is_empty() {
            own.ledger_first = header.number;
        }
        own.ledger.push_back((self.base.now, own.published));

        let id = (Peer::ME, self.base.incarnation);
        let now = self.base.now;
        if let Some(stream) = self.delivery.open(id, now, false, true) {
            stream.started = true;
        }
        let kept = Kept { parcel: parcel.clone(), verified: true, hops: 0 };
        self.commit(id, kept);
        let arrival = Arrival { from: Peer::ME, hops: 0, pulled: false };
        self.route(&parcel, Peer::ME, &arrival, Novelty::New);
        self.send_to_targets(Peer::ME, &parcel, 0);
        self.follow(header.number, (header.first_seq, parcel.end_seq() - 1));
        let window = self.base.config.delivery.window.0;
        if self.delivery.own.published - self.delivery.own.slowest >= window {
            self.pace();
        }
    }

    /// Notes who should get a parcel.
    fn follow(&mut self, number: u64, seqs: (u64, u64)) {
        let generation = self.roster.generation;
        let own = &mut self.delivery.own;
        let members = match &own.members {
            Some((g, members)) if *g == generation => members.clone(),
            _ => {
                let live = self.base.peers.live().map(|(p, _)| p).filter(|&p| p != Peer::ME);
                let members: Arc<[Peer]> = live.collect();
                own.members = Some((generation, members.clone()));
                members
            }
        };
        own.tracks.push_back(Track { number, seqs, at: self.base.now, members });
        if own.tracks.back().is_some_and(|t| t.members.is_empty()) {
            self.report();
        }
    }

    /// A member told how far it is with this node's parcels.
    pub(super) fn on_own_progress(&mut self, member: Peer) {
        let id = (Peer::ME, self.base.incarnation);
        let Some(top) = self.roster.cell(member, id).map(|c| c.top) else { return };
        let now = self.base.now;
        let own = &mut self.delivery.own;
        let sent = own.published_at(top);
        let ack = own.acks.entry(member).or_insert(Ack { top: 0, at: now, behind: false });
        if top > ack.top {
            (ack.top, ack.at) = (top, now);
            if !ack.behind
                && let Some(sent) = sent
            {
                own.delay = (own.delay * 7 + now.since(sent)) / 8;
            }
        }
        self.pace();
        self.report();
    }

    /// Finds the slowest member in step, and whether it holds the next parcel back.
    pub(crate) fn pace(&mut self) {
        let now = self.base.now;
        let delivery = &self.base.config.delivery;
        let half = self.base.config.history.keep_bytes.0 / 2;
        let own = &mut self.delivery.own;
        let stall = delivery.stall.0.max((own.delay * 4).min(Duration::from_secs(2)));
        let (mut slowest, mut all, mut held, mut held_until) = (own.published, own.number, false, None);
        for (peer, _) in self.base.peers.live().filter(|(p, _)| *p != Peer::ME) {
            let mut ack =
                own.acks.get(&peer).copied().unwrap_or(Ack { top: 0, at: Instant::ZERO, behind: false });
            if ack.top >= own.number {
                if ack.behind {
                    ack.behind = false;
                    own.acks.insert(peer, ack);
                }
                continue;
            }
            all = all.min(ack.top);
            let since = own.published_at(ack.top + 1).unwrap_or(Instant::ZERO).max(ack.at);
            let lacks = own.published - own.bytes_upto(ack.top);
            if now >= since + stall {
                ack.behind = true;
                own.acks.insert(peer, ack);
                continue;
            }
            if ack.behind && lacks < delivery.window.0 / 2 {
                ack.behind = false;
                own.acks.insert(peer, ack);
            }
            let limit = if ack.behind { half } else { delivery.window.0 };
            if lacks >= limit {
                held = true;
                held_until = earliest(held_until, Some(since + stall));
            }
            if !ack.behind {
                slowest = slowest.min(own.published - lacks);
            }
        }
        (own.slowest, own.held, own.held_until) = (slowest, held, held_until);
        let floor = self.delivery.stream((Peer::ME, self.base.incarnation)).map_or(0, |s| s.floor);
        let own = &mut self.delivery.own;
        while own.ledger_first <= all.max(floor.saturating_sub(1)) && own.ledger.len() > 1 {
            own.ledger_base = own.ledger.pop_front().map_or(own.ledger_base, |e| e.1);
            own.ledger_first += 1;
        }
    }

    /// Tells what became of the oldest parcels on their way: complete, or overdue.
    pub(crate) fn report(&mut self) {
        let after = self.base.config.delivery.delivered_after.0;
        while let Some(track) = self.delivery.own.tracks.front() {
            let (reached, of) = self.reached(track);
            if reached < of && self.base.now < track.at + after {
                return;
            }
            let (from_seq, to_seq) = track.seqs;
            self.base.event(Event::Delivery { to: None, from_seq, to_seq, reached, of });
            let told = self.delivery.own.tracks.pop_front();
            if reached < of {
                self.delivery.own.late = told;
            }
        }
    }

    pub(crate) fn on_own_deadline(&mut self) {
        if self.delivery.own.held {
            self.pace();
        }
        self.report();
    }
}
