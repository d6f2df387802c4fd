//! Parts of a group that have lost each other without anybody noticing.
//!
//! A few members can fill each other's views and so cut themselves off, all of them alive and each still in everybody's
//! roster. So the member with the lowest id counts: every `KEEP` carries the lowest id heard of and its count, news of it
//! are passed on at once, and whoever hears of a lower one counts no more. Whoever knows of a lower live member than it
//! hears of, for a while, asks that one to make room.

use core::time::Duration;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::messages::{Msg, Need};
use super::state::{Mesh, send};

/// How long word of the lowest member may take.
const SILENCE: Duration = Duration::from_secs(15);

/// The lowest live member heard of.
#[derive(Clone, Debug, Default)]
pub(super) struct Beacon {
    heard: Option<(PeerId, u64, Instant)>,
    /// Since when the lowest member of the roster was not heard of.
    missed: Option<Instant>,
}

impl Mesh {
    /// The lowest member heard of lately, and its count.
    pub(super) fn beacon(&self, now: Instant) -> Option<(PeerId, u64)> {
        let fresh = self.beacon.heard.filter(|(_, _, at)| now.since(*at) < SILENCE);
        fresh.map(|(id, count, _)| (id, count))
    }

    /// What a `KEEP` says.
    pub(super) fn keep(&self, cx: &Ctx<'_>) -> Msg {
        let (lowest, count) = self.beacon(cx.now).unwrap_or((cx.me(), 0));
        Msg::Keep { lowest, count }
    }

    /// Counts, unless a lower member is near or was heard of.
    pub(super) fn count(&mut self, cx: &Ctx<'_>) {
        let me = cx.me();
        let is_lowest = self.near().all(|peer| me < cx.peers.id(peer));
        if is_lowest && self.beacon(cx.now).is_none_or(|(id, _)| me <= id) {
            let start = cx.peers.get(Peer::ME).incarnation.0;
            let count = self.beacon.heard.filter(|h| h.0 == me).map_or(start, |h| h.1 + 1);
            self.beacon.heard = Some((me, count.max(1), cx.now));
        }
    }

    /// Word of the lowest member; what is new goes on at once.
    pub(super) fn on_beacon(&mut self, cx: &mut Ctx<'_>, from: Peer, lowest: PeerId, count: u64) {
        let news = |(id, known): (PeerId, u64)| lowest < id || (lowest == id && count > known);
        if count == 0 || lowest == cx.me() || !self.beacon(cx.now).is_none_or(news) {
            return;
        }
        self.beacon.heard = Some((lowest, count, cx.now));
        self.say_keep(cx, Some(from));
    }

    /// Tells neighbours that they are, and of whom was heard.
    pub(super) fn say_keep(&mut self, cx: &mut Ctx<'_>, but: Option<Peer>) {
        let msg = self.keep(cx);
        for peer in self.active.iter().filter(|p| Some(*p) != but).collect::<Vec<_>>() {
            send(cx, peer, &msg);
        }
        self.active.kept(cx);
    }

    /// Looks whether the lowest live member is heard of, and asks it for its neighbourhood when it is not.
    pub(super) fn look_for_beacon(&mut self, cx: &mut Ctx<'_>) {
        let ids = self.live.iter().map(|&peer| (cx.peers.id(peer), peer));
        let Some((id, peer)) = ids.min().filter(|(id, _)| *id < cx.me()) else { return };
        if self.active.contains(peer) || self.beacon(cx.now).is_some_and(|(heard, _)| heard <= id) {
            self.beacon.missed = None;
        } else if cx.now.since(*self.beacon.missed.get_or_insert(cx.now)) >= SILENCE {
            self.beacon.missed = Some(cx.now);
            self.ask_neighbour(cx, peer, Need::High);
        }
    }
}
