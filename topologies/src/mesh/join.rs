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
use crate::request::Request;

/// The first wait before a `JOIN` is sent again; it doubles this often.
const RETRY: (Duration, u32) = (Duration::from_millis(200), 3);
/// Newcomers whose nick is reserved at most, and for how long.
const ADMISSIONS_MAX: usize = 64;
const RESERVED: Duration = Duration::from_secs(10);

/// Newcomers let in lately: their nicks, and since when.
#[derive(Clone, Debug, Default)]
pub(super) struct Admissions(BTreeMap<PeerId, (Arc<str>, Instant)>);

impl Mesh {
    /// This node wants to become a member. For one that already is, nothing is left to do.
    pub(super) fn start_join(&mut self, cx: &mut Ctx<'_>, contact: Peer, nick: Arc<str>, claimed_at: u64) {
        if self.is_member() {
            cx.out.joined();
            return;
        }
        let before = match &self.phase {
            Phase::Joining(before) if before.contact != contact => Some(before.contact),
            _ => None,
        };
        self.phase = Phase::Joining(Request::new(cx, contact, nick, claimed_at));
        before.into_iter().for_each(|peer| self.tend(cx, peer));
        self.tend(cx, contact);
        self.ask(cx);
    }

    /// Sends the `JOIN` when it is due.
    pub(super) fn ask(&mut self, cx: &mut Ctx<'_>) {
        let Phase::Joining(request) = &mut self.phase else { return };
        if request.take_due(cx, RETRY.0, RETRY.1) {
            let msg = Msg::Join { nonce: request.nonce, nick: request.nick.clone() };
            send(cx, request.contact, &msg);
        }
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
        matches!(&self.phase, Phase::Joining(request) if request.is_answer(from, nonce))
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

    /// The nick is taken.
    pub(super) fn on_refused(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, holder: PeerId) {
        if !self.is_answer(from, nonce) {
            return;
        }
        let Phase::Joining(request) = std::mem::replace(&mut self.phase, Phase::Outside) else { return };
        request.nick_is_taken(cx, holder);
    }

    /// This node counts as a member from now on.
    pub(super) fn become_member(&mut self, cx: &mut Ctx<'_>) {
        self.phase = Phase::Member;
        self.begin_view(cx);
    }

    /// The engine forgot a peer: if it was the contact, another one has to be named.
    pub(super) fn forget_contact(&mut self, peer: Peer) {
        if matches!(&self.phase, Phase::Joining(request) if request.contact == peer) {
            self.phase = Phase::Outside;
        }
    }
}
