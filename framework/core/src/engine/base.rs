//! What every part of the engine shares: time, table of peers, links, settings, and the way out.

use std::sync::Arc;

use bytes::Bytes;

use super::api::{CloseReason, Event, Output, Who};
use super::links::Links;
use crate::auth::Auth;
use crate::config::EngineConfig;
use crate::frame::{Frame, FrameKind, Lane};
use crate::id::{Incarnation, Peer, PeerId};
use crate::peers::PeerTable;
use crate::rng::NodeRng;
use crate::time::Instant;

/// Shared state of the engine's parts.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) now: Instant,
    pub(crate) config: EngineConfig,
    pub(crate) auth: Arc<dyn Auth>,
    pub(crate) peers: PeerTable,
    pub(crate) links: Links,
    pub(crate) out: Vec<Output>,
    pub(crate) rng: NodeRng,
    pub(crate) incarnation: Incarnation,
    pub(crate) epoch: u32,
    /// True from the moment this node is a member and knows the group.
    pub(crate) ready: bool,
    /// Peers whose links were closed from this side and whom nobody has been told of.
    pub(crate) closed: Vec<Peer>,
    pub(crate) stats: Stats,
}

/// Figures of one engine since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Parcels committed: delivered in order, and kept.
    pub committed: u64,
    /// Messages of others delivered.
    pub delivered: u64,
    /// Parcels that came again.
    pub duplicates: u64,
    /// Pulls sent.
    pub pulls: u64,
    /// Parcels sent as answers to pulls.
    pub repairs: u64,
    /// Parcels that were refused: forged, forked or malformed.
    pub refused: u64,
    /// Bytes of parcels that wait for their predecessors now.
    pub ahead: u64,
}

impl Base {
    pub(crate) fn me(&self) -> PeerId {
        self.peers.id(Peer::ME)
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.out.push(Output::Event(event));
    }

    /// Sends a frame to a linked peer; without a link it is lost, as on the way.
    pub(crate) fn send(&mut self, to: Peer, lane: Lane, kind: FrameKind, hops: u8, body: Bytes) {
        if let Some(link) = self.links.get(to) {
            self.out.push(Output::Send { link: link.id, lane, frame: Frame { kind, hops, body } });
        }
    }

    /// Sends a small frame on the control lane.
    pub(crate) fn control(&mut self, to: Peer, kind: FrameKind, body: Bytes) {
        self.send(to, Lane::Control, kind, 0, body);
    }

    /// The member as events name it.
    pub(crate) fn who(&self, peer: Peer) -> Who {
        let e = self.peers.get(peer);
        Who { peer: e.id, nick: self.nick_of(peer), addr: e.addrs.first().cloned() }
    }

    /// A peer's nick, or the start of its id while the nick is unknown.
    pub(crate) fn nick_of(&self, peer: Peer) -> Arc<str> {
        let e = self.peers.get(peer);
        if e.nick.is_empty() { Arc::from(format!("{:?}", e.id)) } else { e.nick.clone() }
    }

    /// Takes the link to a peer down from this side: says why, closes, forgets.
    pub(crate) fn close(&mut self, peer: Peer, reason: CloseReason) {
        if let Some(link) = self.links.get(peer) {
            let id = link.id;
            self.control(peer, FrameKind::Bye, Bytes::from_static(reason.code()));
            self.out.push(Output::Close { link: id, reason });
            self.links.remove(id);
            self.peers.get_mut(peer).linked = false;
            self.closed.push(peer);
        }
    }
}

impl CloseReason {
    /// The reason in one byte, as a goodbye carries it.
    pub(crate) const fn code(self) -> &'static [u8] {
        match self {
            CloseReason::Replaced => &[1],
            CloseReason::Unneeded => &[2],
            CloseReason::Dead => &[3],
            CloseReason::Misbehaved(_) => &[4],
            CloseReason::Full => &[5],
            CloseReason::Leaving => &[6],
        }
    }
}
