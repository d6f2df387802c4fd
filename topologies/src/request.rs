//! A newcomer's request to be let in: whom it asked for which nick, and when it asks again.

use core::time::Duration;
use std::sync::Arc;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

/// A request under way. It goes on for as long as nothing answers: when the link is gone the engine names another contact.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The member that is asked.
    pub(crate) contact: Peer,
    /// The nick asked for.
    pub(crate) nick: Arc<str>,
    /// When it was claimed.
    pub(crate) claimed_at: u64,
    /// Repeated by the answer.
    pub(crate) nonce: u64,
    tries: u32,
    at: Instant,
}

impl Request {
    /// A request that is due at once.
    pub(crate) fn new(cx: &mut Ctx<'_>, contact: Peer, nick: Arc<str>, claimed_at: u64) -> Self {
        Request { contact, nick, claimed_at, nonce: cx.rng.next_u64(), tries: 0, at: cx.now }
    }

    /// When to ask again.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.at
    }

    /// It is due now.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.at = now;
    }

    /// True when it is to be sent now. The wait until the next time doubles so often.
    pub(crate) fn take_due(&mut self, cx: &mut Ctx<'_>, wait: Duration, doublings: u32) -> bool {
        if self.at > cx.now {
            return false;
        }
        let wait = wait.saturating_mul(1 << self.tries.min(doublings));
        self.at = cx.now + cx.rng.jitter(wait, 0.2);
        self.tries = self.tries.saturating_add(1);
        true
    }

    /// True when the contact answers it.
    pub(crate) fn is_answer(&self, from: Peer, nonce: u64) -> bool {
        (self.contact, self.nonce) == (from, nonce)
    }

    /// Tells the engine, which may ask again with another nick, that another member holds this one.
    pub(crate) fn nick_is_taken(&self, cx: &mut Ctx<'_>, holder: PeerId) {
        cx.out.refuse("nick-taken", format!("the nick `{}` is held by {holder:?}", self.nick));
    }
}
