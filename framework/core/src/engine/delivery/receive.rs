//! Parcels that arrive: looked up, verified, committed, then routed. Nothing unverified is committed or forwarded,
//! but what arrives on its origin's own link: that link vouches for it, and the signature is checked before anybody
//! else is given it.

use bytes::Bytes;

use super::super::api::Event;
use super::super::roster::Forged;
use super::super::{Engine, Planted};
use super::StreamId;
use super::stream::Kept;
use crate::frame::Frame;
use crate::id::Peer;
use crate::parcel::{Parcel, Scope};
use crate::topology::{Novelty, Routed};
use crate::wire::{Reader, Writer};

/// How a parcel came here.
pub(crate) struct Arrival {
    pub(crate) from: Peer,
    pub(crate) hops: u8,
    /// It was pulled: it says nothing about the topology's ways.
    pub(crate) pulled: bool,
}

/// `limits.ahead` bounds one stream; all of them together may hold this many times as much.
pub(super) const AHEAD_TOTAL: usize = 8;

impl Engine {
    /// A parcel arrived.
    pub(crate) fn on_parcel(&mut self, from: Peer, frame: Frame, pulled: bool) -> Result<(), Forged> {
        let parcel = Parcel::parse(frame.body).map_err(|_| Forged("malformed parcel"))?;
        if parcel.header.epoch != self.base.epoch {
            return Err(Forged("parcel of another epoch"));
        }
        let arrival = Arrival { from, hops: frame.hops.saturating_add(1), pulled };
        match parcel.header.scope {
            Scope::Group => self.on_group_parcel(parcel, &arrival),
            Scope::Direct(_) | Scope::Ack(_) => self.on_direct_parcel(parcel, &arrival),
        }
    }

    fn on_group_parcel(&mut self, parcel: Parcel, arrival: &Arrival) -> Result<(), Forged> {
        let header = parcel.header;
        let Some(origin) = self.origin(&header.origin) else { return Ok(()) };
        let id: StreamId = (origin, header.incarnation);
        if origin == Peer::ME && header.incarnation >= self.base.incarnation {
            return Ok(()); // One's own, come round.
        }
        if self.delivery.stream(id).is_some_and(|s| s.forked) {
            return Ok(());
        }
        if self.delivery.stream(id).is_some_and(|s| s.has(header.number)) {
            self.base.stats.duplicates += 1;
            if !arrival.pulled {
                self.route(&parcel, origin, arrival, Novelty::Duplicate);
            }
            return Ok(());
        }
        let vouched = arrival.from == origin;
        let planted = self.planted == Some(Planted::DedupeBeforeVerify);
        if planted && !self.poisoned.insert((header.origin, header.incarnation, header.number)) {
            return Ok(());
        }
        if !vouched && parcel.verify(&*self.base.auth).is_none() {
            self.base.stats.refused += 1;
            return Err(Forged("forged parcel"));
        }
        let (now, ready) = (self.base.now, self.base.ready);
        if self.delivery.open(id, now, ready, true).is_none() {
            return Ok(());
        }
        let parcel = parcel.compact();
        let kept = Kept { parcel: parcel.clone(), verified: !vouched, hops: arrival.hops };
        if !self.take(id, kept)? {
            return Ok(());
        }
        self.forward(id, &parcel, arrival);
        Ok(())
    }

    /// Puts a new parcel where it belongs. False when there is no room for it yet.
    fn take(&mut self, id: StreamId, kept: Kept) -> Result<bool, Forged> {
        let number = kept.parcel.header.number;
        let limit = self.base.config.limits.ahead.bytes();
        let introduced = self.is_introduced(id);
        let (len, full) = (kept.parcel.bytes().len(), self.is_order_full(id));
        let Some(stream) = self.delivery.stream_mut(id) else { return Ok(false) };
        stream.known = stream.known.max(number);
        if !stream.started && number == 1 {
            stream.start(0);
        }
        if !stream.started || number != stream.top + 1 || !introduced || full {
            // What finds no room is pulled once it is next in order, and then needs none.
            let room = stream.ahead_bytes + len <= limit
                && self.delivery.ahead_bytes() + len <= limit.saturating_mul(AHEAD_TOTAL);
            if room && let Some(stream) = self.delivery.stream_mut(id) {
                stream.ahead_bytes += len;
                stream.ahead.insert(number, kept);
            }
            self.search(id);
            return Ok(room);
        }
        if kept.verified
            && let Some(last) = stream.last_digest(&*self.base.auth)
            && !stream.gap
            && last != kept.parcel.header.prev
        {
            self.fork(id);
            return Err(Forged("parcel of a forked stream"));
        }
        self.commit(id, kept);
        Ok(true)
    }

    /// Sends a parcel on, the way that the topology says.
    fn forward(&mut self, id: StreamId, parcel: &Parcel, arrival: &Arrival) {
        self.route(parcel, id.0, arrival, Novelty::New);
        if self.targets.is_empty() {
            return;
        }
        if !self.check_kept(id, parcel.header.number) {
            self.targets.clear();
            return;
        }
        self.send_to_targets(id.0, parcel, arrival.hops);
    }

    /// True when a kept parcel carries its origin's signature; checked at most once.
    pub(super) fn check_kept(&mut self, id: StreamId, number: u64) -> bool {
        let auth = &*self.base.auth;
        let Some(kept) = self.delivery.stream_mut(id).and_then(|s| s.get_mut(number)) else { return false };
        if !kept.verified && kept.parcel.verify(auth).is_some() {
            kept.verified = true;
        }
        if !kept.verified {
            self.fork(id);
            return false;
        }
        true
    }

    /// An origin contradicts itself: nothing more is taken of this run, and people are told so.
    fn fork(&mut self, id: StreamId) {
        self.base.stats.refused += 1;
        let Some(stream) = self.delivery.stream_mut(id).filter(|s| !s.forked) else { return };
        stream.forked = true;
        let reason = format!("{} signed two different pasts, or not what it sent", self.base.nick_of(id.0));
        let hint = "its messages are not shown any more; it has to start again";
        self.base.event(Event::Trouble { code: "forked", reason, hint });
    }

    /// Asks the topology where a parcel goes; the answer is in `targets`.
    pub(super) fn route(&mut self, parcel: &Parcel, origin: Peer, arrival: &Arrival, novelty: Novelty) {
        let routed = Routed {
            origin,
            to: parcel.header.scope.to(),
            hops: arrival.hops,
            number: parcel.header.number,
            len: parcel.bytes().len(),
        };
        let from = (arrival.from != Peer::ME).then_some(arrival.from);
        self.targets.clear();
        self.ask(crate::topology::Input::Route { parcel: routed, from, novelty });
        let me_or_back = |p: Peer| p == Peer::ME || Some(p) == from || p == origin;
        self.targets.retain(|&(p, _)| !me_or_back(p));
        if novelty == Novelty::Duplicate {
            self.targets.clear();
        }
    }

    /// Sends or announces a parcel to the neighbours that the topology named.
    pub(super) fn send_to_targets(&mut self, origin: Peer, parcel: &Parcel, hops: u8) {
        use crate::frame::{FrameKind, Lane};
        let targets = core::mem::take(&mut self.targets);
        let mut announcement: Option<Bytes> = None;
        for &(peer, eager) in &targets {
            if let Some(link) = self.base.links.get_mut(peer) {
                link.eager = eager;
            }
            if eager {
                self.base.send(peer, Lane::Data, FrameKind::Data, hops, parcel.bytes().clone());
                continue;
            }
            let body = announcement.get_or_insert_with(|| {
                let mut w = Writer::new();
                w.raw(&self.base.peers.id(origin).0)
                    .u64(parcel.header.incarnation.0)
                    .u64(parcel.header.number);
                w.finish()
            });
            let body = body.clone();
            self.base.control(peer, FrameKind::Announce, body);
        }
        self.targets = targets;
        self.targets.clear();
    }

    /// A neighbour holds a parcel.
    pub(crate) fn on_announce(&mut self, from: Peer, body: &Bytes) -> Result<(), Forged> {
        let malformed = |_| Forged("malformed announcement");
        let mut r = Reader::new(body);
        let id = r.peer_id().map_err(malformed)?;
        let (run, number) = (r.u64().map_err(malformed)?, r.u64().map_err(malformed)?);
        r.end().map_err(malformed)?;
        if number > u64::MAX / 2 {
            return Err(Forged("malformed announcement"));
        }
        let Some(origin) = self.origin(&id) else { return Ok(()) };
        let id = (origin, crate::id::Incarnation(run));
        if origin == Peer::ME && id.1 >= self.base.incarnation {
            return Ok(());
        }
        let (now, ready) = (self.base.now, self.base.ready);
        let proven = self.is_signed_run(id);
        let Some(stream) = self.delivery.open(id, now, ready, proven) else { return Ok(()) };
        if !stream.has(number) {
            stream.known = stream.known.max(number);
            stream.hint(from, number);
            self.search(id);
        }
        Ok(())
    }

    /// The origin with this id, made known while there is room.
    fn origin(&mut self, id: &crate::id::PeerId) -> Option<Peer> {
        let room = self.base.peers.len() < self.base.config.roster.max as usize * 2;
        self.base.peers.find(id).or_else(|| room.then(|| self.base.peers.intern(*id)))
    }
}
