//! Joining: through any member, which looks at the nick.
//!
//! Should two members let in two newcomers with one nick at the same moment, the roster's rule settles it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::messages::{Msg, Place};
use super::state::{Mesh, Phase, send};

/// The first wait before a `JOIN` is sent again; it doubles this often.
const RETRY: (Duration, u32) = (Duration::from_millis(200), 3);
/// Newcomers whose nick is reserved at most, and for how long.
const ADMISSIONS_MAX: usize = 64;
const RESERVED: Duration = Duration::from_secs(10);

/// A request under way.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    pub(super) contact: Peer,
    nick: Arc<str>,
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

/// Newcomers let in lately: their nicks, and since when.
#[derive(Clone, Debug, Default)]
pub(super) struct Admissions(BTreeMap<PeerId, (Arc<str>, Instant)>);

impl Mesh {
    /// This node wants to become a member. For one that already is, nothing is left to do.
    pub(super) fn start_join(&mut self, cx: &mut Ctx<'_>, contact: Peer, nick: Arc<str>) {
        if self.is_member() {
            cx.out.joined();
            return;
        }
        let nonce = cx.rng.next_u64();
        let before = match &self.phase {
            Phase::Joining(before) if before.contact != contact => Some(before.contact),
            _ => None,
        };
        self.phase = Phase::Joining(Joining { contact, nick, nonce, tries: 0, at: cx.now });
        before.into_iter().for_each(|peer| self.tend(cx, peer));
        self.tend(cx, contact);
        self.ask(cx);
    }

    /// Sends the `JOIN` when it is due. Goes on for as long as nothing answers: when the link is gone the engine
    /// names another contact.
    pub(super) fn ask(&mut self, cx: &mut Ctx<'_>) {
        let Phase::Joining(joining) = &mut self.phase else { return };
        if joining.at > cx.now {
            return;
        }
        joining.at = cx.now + cx.rng.jitter(RETRY.0 * (1 << joining.tries.min(RETRY.1)), 0.2);
        joining.tries = joining.tries.saturating_add(1);
        let (contact, nick, nonce) = (joining.contact, joining.nick.clone(), joining.nonce);
        send(cx, contact, &Msg::Join { nonce, nick });
    }

    /// A `JOIN` arrived. The same request again gets the same answer again.
    pub(super) fn on_join(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, nick: &Arc<str>) {
        if !self.is_member() {
            return;
        }
        let (now, newcomer) = (cx.now, cx.peers.id(from));
        self.admissions.0.retain(|_, (_, since)| now.since(*since) < RESERVED);
        let held = cx.peers.live().find(|(_, e)| e.nick == *nick && e.id != newcomer).map(|(_, e)| e.id);
        let mut reserved = self.admissions.0.iter().filter(|(id, (n, _))| n == nick && **id != newcomer);
        if let Some(holder) = held.or_else(|| reserved.next().map(|(id, _)| *id)) {
            send(cx, from, &Msg::Refused { nonce, holder });
        } else if self.admissions.0.len() < ADMISSIONS_MAX || self.admissions.0.contains_key(&newcomer) {
            self.admissions.0.insert(newcomer, (nick.clone(), now));
            self.let_in(cx, from, nonce);
        } // Else it asks again.
    }

    fn let_in(&mut self, cx: &mut Ctx<'_>, newcomer: Peer, nonce: u64) {
        let places = if self.degree() > 0 { self.acquaintances(cx) } else { Vec::new() };
        if self.degree() > 0 {
            self.take_in(cx, newcomer);
            self.seek(cx);
        }
        send(cx, newcomer, &Msg::Accepted { nonce, places });
    }

    /// True when this is the answer to the request under way.
    fn is_answer(&self, from: Peer, nonce: u64) -> bool {
        matches!(&self.phase, Phase::Joining(j) if j.contact == from && j.nonce == nonce)
    }

    /// Let in: a member from now on.
    pub(super) fn on_accepted(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, places: Vec<Place>) {
        if self.is_answer(from, nonce) {
            self.anchor = Some(from);
            if self.degree() > 0 {
                self.learn_of(cx, places, &[]);
            }
            self.become_member(cx);
            cx.out.joined();
        }
    }

    /// The nick is taken; the engine may ask again with another.
    pub(super) fn on_refused(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, holder: PeerId) {
        if !self.is_answer(from, nonce) {
            return;
        }
        let Phase::Joining(joining) = std::mem::replace(&mut self.phase, Phase::Outside) else { return };
        cx.out.refuse("nick-taken", format!("the nick `{}` is held by {holder:?}", joining.nick));
    }

    /// This node counts as a member from now on.
    pub(super) fn become_member(&mut self, cx: &mut Ctx<'_>) {
        self.phase = Phase::Member;
        self.begin_view(cx);
    }

    /// The engine forgot a peer: if it was the contact, another one has to be named.
    pub(super) fn forget_contact(&mut self, peer: Peer) {
        if matches!(&self.phase, Phase::Joining(joining) if joining.contact == peer) {
            self.phase = Phase::Outside;
        }
    }
}
