//! The newcomer's side of joining.

use std::sync::Arc;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::topology::Ctx;

use super::courier;
use super::messages::{Around, Code, Letter, Msg};
use super::state::{Phase, Ring};
use crate::request::Request;

/// How many times the wait between two `JOIN`s doubles.
const DOUBLINGS: u32 = 3;

impl Ring {
    /// This node wants to become a member. For one that already is, nothing is left to do.
    pub(super) fn start_join(&mut self, cx: &mut Ctx<'_>, contact: Peer, nick: Arc<str>, claimed_at: u64) {
        match &self.phase {
            Phase::Member | Phase::Leaving(_) => {
                cx.out.joined();
                return;
            }
            Phase::Joining(before) if before.contact != contact => {
                let before = before.contact;
                if self.wanted.remove(&before).is_some() {
                    cx.out.release(before);
                }
            }
            _ => {}
        }
        self.phase = Phase::Joining(Request::new(cx, contact, nick, claimed_at));
        self.want(cx, contact);
        self.ask(cx);
    }

    /// Sends the `JOIN` when it is due.
    pub(super) fn ask(&mut self, cx: &mut Ctx<'_>) {
        let Phase::Joining(request) = &mut self.phase else { return };
        if !request.take_due(cx, self.tuning.retry, DOUBLINGS) {
            return;
        }
        if !self.linked.contains(&request.contact) && !cx.peers.get(request.contact).linked {
            return;
        }
        let addrs = cx.peers.get(Peer::ME).addrs.clone();
        let msg = Msg::Join { nick: request.nick.clone(), claimed_at: request.claimed_at, addrs };
        courier::send(cx, request.contact, &Letter { nonce: request.nonce, msg });
    }

    /// The engine forgot a peer: if it was the contact, another one has to be named.
    pub(super) fn forget_contact(&mut self, peer: Peer) {
        if matches!(&self.phase, Phase::Joining(request) if request.contact == peer) {
            self.phase = Phase::Outside;
        }
    }

    /// True when this is the answer to the request under way.
    fn is_answer(&self, from: Peer, nonce: u64) -> bool {
        matches!(&self.phase, Phase::Joining(request) if request.is_answer(from, nonce))
    }

    /// `CONNECTION_ACCEPTED`: a member from now on. The contact stays linked until a live successor is.
    pub(super) fn on_accepted(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, around: &Around) {
        acknowledge(cx, from, Code::Accepted, nonce);
        if !self.is_answer(from, nonce) {
            return;
        }
        self.anchor = Some(from);
        self.become_member(cx);
        cx.out.joined();
        if !self.accept_planted(cx, around) {
            for named in around.predecessor.iter().chain(&around.successors) {
                self.hear_of(cx, named);
            }
        }
        self.settle(cx);
    }

    /// `CONNECTION_REFUSED`: the nick is taken.
    pub(super) fn on_refused(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, holder: PeerId) {
        acknowledge(cx, from, Code::Refused, nonce);
        if !self.is_answer(from, nonce) {
            return;
        }
        let Phase::Joining(request) = std::mem::replace(&mut self.phase, Phase::Outside) else { return };
        request.nick_is_taken(cx, holder);
    }

    /// This node counts as a member from now on.
    pub(super) fn become_member(&mut self, cx: &mut Ctx<'_>) {
        self.phase = Phase::Member;
        self.tick = Some(cx.now + cx.rng.jitter(self.tuning.retry, 0.2));
    }
}

/// Acknowledges a message that needs no more.
pub(super) fn acknowledge(cx: &mut Ctx<'_>, to: Peer, of: Code, nonce: u64) {
    courier::send(cx, to, &Letter { nonce, msg: Msg::Ack { of, around: Around::default() } });
}
