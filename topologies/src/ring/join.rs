//! The newcomer's side of joining.

use std::sync::Arc;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::courier;
use super::messages::{Around, Code, Letter, Msg};
use super::state::{Phase, Ring};

/// How many times the wait between two `JOIN`s doubles.
const DOUBLINGS: u32 = 3;

/// A request under way.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    contact: Peer,
    nick: Arc<str>,
    claimed_at: u64,
    nonce: u64,
    tries: u32,
    at: Instant,
}

impl Joining {
    /// When to ask again.
    pub(super) fn next_deadline(&self) -> Instant {
        self.at
    }
}

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
        let nonce = cx.rng.next_u64();
        self.phase = Phase::Joining(Joining { contact, nick, claimed_at, nonce, tries: 0, at: cx.now });
        self.want(cx, contact);
        self.ask(cx);
    }

    /// Sends the `JOIN` when it is due. Goes on for as long as nothing answers: when the link is gone the engine
    /// names another contact.
    pub(super) fn ask(&mut self, cx: &mut Ctx<'_>) {
        let Phase::Joining(joining) = &mut self.phase else { return };
        if joining.at > cx.now {
            return;
        }
        let wait = self.tuning.retry.saturating_mul(1 << joining.tries.min(DOUBLINGS));
        joining.at = cx.now + cx.rng.jitter(wait, 0.2);
        joining.tries = joining.tries.saturating_add(1);
        if !self.linked.contains(&joining.contact) && !cx.peers.get(joining.contact).linked {
            return;
        }
        let addrs = cx.peers.get(Peer::ME).addrs.clone();
        let msg = Msg::Join { nick: joining.nick.clone(), claimed_at: joining.claimed_at, addrs };
        courier::send(cx, joining.contact, &Letter { nonce: joining.nonce, msg });
    }

    /// The engine forgot a peer: if it was the contact, another one has to be named.
    pub(super) fn forget_contact(&mut self, peer: Peer) {
        if matches!(&self.phase, Phase::Joining(joining) if joining.contact == peer) {
            self.phase = Phase::Outside;
        }
    }

    /// True when this is the answer to the request under way.
    fn is_answer(&self, from: Peer, nonce: u64) -> bool {
        matches!(&self.phase, Phase::Joining(j) if j.contact == from && j.nonce == nonce)
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

    /// `CONNECTION_REFUSED`: the nick is taken; the engine may ask again with another.
    pub(super) fn on_refused(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, holder: PeerId) {
        acknowledge(cx, from, Code::Refused, nonce);
        if !self.is_answer(from, nonce) {
            return;
        }
        let Phase::Joining(joining) = std::mem::replace(&mut self.phase, Phase::Outside) else { return };
        let reason = format!("the nick `{}` is held by {holder:?}", joining.nick);
        cx.out.refuse("nick-taken", reason);
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
