//! Sending until acknowledged: the retries of every message but `JOIN`, and what arrived before.
//!
//! Bounded on both sides: [`PENDING_MAX`] letters wait for an acknowledgement, [`SEEN_MAX`] are remembered. Beyond
//! that the newest is sent once only, and the oldest may be done twice; the protocol bears both.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use tertulia_core::id::{Peer, PeerId};
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::messages::{Code, Letter};

/// Letters that wait for an acknowledgement at most.
const PENDING_MAX: usize = 128;
/// Letters remembered at most.
const SEEN_MAX: usize = 256;
/// How often a letter is sent before it is given up.
const TRIES: u8 = 4;

/// A letter on its way over one link.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// To whom.
    pub(super) to: Peer,
    /// Which message.
    pub(super) code: Code,
    /// Its nonce.
    pub(super) nonce: u64,
    /// Its bytes.
    pub(super) body: Bytes,
    /// For letters that are passed on round the ring: to whom in the end.
    pub(super) aim: Option<PeerId>,
    tries: u8,
    at: Instant,
}

/// Letters under way and letters seen.
#[derive(Clone, Debug)]
pub(super) struct Courier {
    retry: Duration,
    pending: Vec<Pending>,
    seen: VecDeque<(Code, u64)>,
}

/// Sends a letter once.
pub(super) fn send(cx: &mut Ctx<'_>, to: Peer, letter: &Letter) {
    cx.out.trace(letter.msg.code().name(), to, true);
    cx.out.send(to, letter.encode());
}

impl Courier {
    pub(super) fn new(retry: Duration) -> Self {
        Courier { retry, pending: Vec::new(), seen: VecDeque::new() }
    }

    /// Sends a letter until it is acknowledged or given up.
    pub(super) fn post(&mut self, cx: &mut Ctx<'_>, to: Peer, letter: &Letter) {
        let code = letter.msg.code();
        self.post_bytes(cx, to, code, letter.nonce, letter.encode(), None);
    }

    /// The same for a letter already encoded.
    pub(super) fn post_bytes(
        &mut self,
        cx: &mut Ctx<'_>,
        to: Peer,
        code: Code,
        nonce: u64,
        body: Bytes,
        aim: Option<PeerId>,
    ) {
        cx.out.trace(code.name(), to, true);
        cx.out.send(to, body.clone());
        self.pending.retain(|p| (p.to, p.code, p.nonce) != (to, code, nonce));
        if self.pending.len() < PENDING_MAX {
            let at = cx.now + self.wait(cx, to, 1);
            self.pending.push(Pending { to, code, nonce, body, aim, tries: 1, at });
        }
    }

    /// The wait after the given number of tries: follows the round trip, doubles.
    fn wait(&self, cx: &mut Ctx<'_>, to: Peer, tries: u8) -> Duration {
        let trip = cx.peers.get(to).rtt.unwrap_or_default().saturating_mul(3);
        let base = self.retry.max(trip).saturating_mul(1 << tries.saturating_sub(1).min(6));
        cx.rng.jitter(base, 0.2)
    }

    /// An acknowledgement arrived; true when something was waiting for it.
    pub(super) fn acked(&mut self, from: Peer, code: Code, nonce: u64) -> bool {
        let before = self.pending.len();
        self.pending.retain(|p| (p.to, p.code, p.nonce) != (from, code, nonce));
        self.pending.len() < before
    }

    /// Notes that a letter arrived; true when it is new.
    pub(super) fn is_new(&mut self, code: Code, nonce: u64) -> bool {
        if self.seen.contains(&(code, nonce)) {
            return false;
        }
        if self.seen.len() == SEEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back((code, nonce));
        true
    }

    /// True while a message of this kind waits for an acknowledgement.
    pub(super) fn awaits(&self, code: Code) -> bool {
        self.pending.iter().any(|p| p.code == code)
    }

    /// Gives up what is under way to a peer.
    pub(super) fn lost(&mut self, peer: Peer) -> Vec<Pending> {
        self.pending.extract_if(.., |p| p.to == peer).collect()
    }

    /// When something has to be sent again.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.pending.iter().map(|p| p.at).min()
    }

    /// Sends again what is due, and returns what is given up.
    pub(super) fn resend(&mut self, cx: &mut Ctx<'_>) -> Vec<Pending> {
        let now = cx.now;
        let given_up = self.pending.extract_if(.., |p| p.at <= now && p.tries >= TRIES).collect();
        for i in 0..self.pending.len() {
            let (to, tries) = (self.pending[i].to, self.pending[i].tries + 1);
            if self.pending[i].at > now {
                continue;
            }
            let wait = self.wait(cx, to, tries);
            let pending = &mut self.pending[i];
            pending.tries = tries;
            pending.at = now + wait;
            cx.out.trace(pending.code.name(), to, true);
            cx.out.send(to, pending.body.clone());
        }
        given_up
    }
}
