//! The newcomer's side of joining: it asks any member, and the leader that the member names.

use core::time::Duration;
use std::sync::Arc;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::{Addr, PeerTable};
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::messages::Msg;
use super::state::{Phase, Star, send};
use crate::request::Request;

/// The first wait before a `JOIN` is sent again; it doubles this often.
const RETRY: (Duration, u32) = (Duration::from_millis(200), 2);

/// A request under way.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    request: Request,
    /// The leader that the contact named.
    leader: Option<PeerId>,
}

impl Joining {
    /// When to ask again.
    pub(super) fn next_deadline(&self) -> Instant {
        self.request.next_deadline()
    }

    /// Whom to be linked to.
    pub(super) fn asked(&self, peers: &PeerTable) -> impl Iterator<Item = Peer> {
        let leader = self.leader.and_then(|id| peers.find(&id));
        std::iter::once(self.request.contact).chain(leader)
    }
}

impl Star {
    /// This node wants to become a member. For one that already is, nothing is left to do.
    pub(super) fn start_join(&mut self, cx: &mut Ctx<'_>, contact: Peer, nick: Arc<str>, claimed_at: u64) {
        if self.is_member() {
            cx.out.joined();
            return;
        }
        let request = Request::new(cx, contact, nick, claimed_at);
        self.phase = Phase::Joining(Joining { request, leader: None });
        self.begin(cx, None);
        self.settle(cx);
        self.ask(cx);
    }

    /// Sends the `JOIN` when it is due, to the contact, and to the leader if it is linked.
    pub(super) fn ask(&mut self, cx: &mut Ctx<'_>) {
        let Phase::Joining(Joining { request, leader }) = &mut self.phase else { return };
        if !request.take_due(cx, RETRY.0, RETRY.1) {
            return;
        }
        let Request { contact, claimed_at, nonce, .. } = *request;
        let addrs = cx.peers.get(Peer::ME).addrs.clone();
        let msg = Msg::Join { nonce, nick: request.nick.clone(), claimed_at, addrs };
        let leader = leader.and_then(|id| cx.peers.find(&id));
        for peer in [Some(contact), leader.filter(|&p| p != contact)].into_iter().flatten() {
            if self.linked.contains(&peer) || cx.peers.get(peer).linked {
                send(cx, peer, &msg);
            }
        }
    }

    /// The contact names the leader: it is dialled, and asked as soon as it is linked.
    pub(super) fn on_redirect(&mut self, cx: &mut Ctx<'_>, nonce: u64, leader: PeerId, addrs: Vec<Addr>) {
        let Phase::Joining(joining) = &mut self.phase else { return };
        if joining.request.nonce != nonce || leader == cx.me() {
            return;
        }
        if joining.leader.replace(leader) != Some(leader) {
            if cx.peers.find(&leader).is_none() && !addrs.is_empty() {
                cx.out.learn(leader, addrs);
            }
            // The engine knows it after this call; look then.
            self.look_at(cx.now);
        }
    }

    /// Let in: a member from now on. Whoever let it in stays linked until the leader is.
    pub(super) fn on_accepted(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64) {
        if matches!(&self.phase, Phase::Joining(j) if j.request.nonce == nonce) {
            self.anchor = Some(from);
            self.become_member(cx);
            self.settle(cx);
        }
    }

    /// The nick is taken.
    pub(super) fn on_refused(&mut self, cx: &mut Ctx<'_>, nonce: u64, holder: PeerId) {
        let Phase::Joining(joining) = &self.phase else { return };
        if joining.request.nonce == nonce {
            joining.request.nick_is_taken(cx, holder);
            self.phase = Phase::Outside;
        }
    }

    /// This node counts as a member from now on.
    pub(super) fn become_member(&mut self, cx: &mut Ctx<'_>) {
        self.phase = Phase::Member;
        cx.out.joined();
    }

    /// The newcomer's link to the leader is up: it is asked at once.
    pub(super) fn hurry(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        if let Phase::Joining(joining) = &mut self.phase
            && joining.leader == Some(cx.peers.id(peer))
        {
            joining.request.hurry(cx.now);
            self.ask(cx);
        }
    }

    /// The engine forgot a peer: if it was the contact, another one has to be named.
    pub(super) fn forget_contact(&mut self, peer: Peer) {
        if matches!(&self.phase, Phase::Joining(joining) if joining.request.contact == peer) {
            self.phase = Phase::Outside;
        }
    }
}
