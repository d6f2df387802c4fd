//! Passing `DISCOVERY_QUERY` and `DISCOVERY_ANSWER` round the ring.
//!
//! A query goes from successor to successor, acknowledged and repeated at every hop, and rerouted when the next
//! member is lost; so it comes round although single frames get lost. It ends at the member that asked, at a holder
//! of the nick, after [`hops_max`] hops, or where it would skip the asker.

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::PeerTable;
use tertulia_core::topology::Ctx;

use super::admit::Admission;
use super::courier::Pending;
use super::join::acknowledge;
use super::messages::{Code, Letter, Msg, Query};
use super::order::{self, Quitting};
use super::state::Ring;

/// Members that a letter may visit: twice the ring, and some that join meanwhile.
fn hops_max(peers: &PeerTable, quitting: &Quitting) -> u16 {
    let members = order::members(peers, quitting).count();
    u16::try_from(2 * members + 16).unwrap_or(u16::MAX)
}

impl Ring {
    /// A `DISCOVERY_QUERY` arrived.
    pub(super) fn on_query(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, mut query: Query) {
        if !self.is_member() {
            return; // Not acknowledged: whoever sent it finds another way.
        }
        acknowledge(cx, from, Code::Query, nonce);
        if !self.courier.is_new(Code::Query, nonce) {
            return;
        }
        if query.asker == cx.me() {
            self.came_round(cx, query.newcomer, nonce);
            return;
        }
        if let Some(holder) = self.claimed(cx, &query.nick, query.newcomer, query.claimed_at) {
            let msg = Msg::Answer { hops: 0, asker: query.asker, newcomer: query.newcomer, holder };
            self.pass_on(cx, &Letter { nonce, msg }, None);
            return;
        }
        query.hops = query.hops.saturating_add(1);
        if query.hops < hops_max(cx.peers, &self.quitting) {
            self.pass_on(cx, &Letter { nonce, msg: Msg::Query(query) }, None);
        }
    }

    /// A `DISCOVERY_ANSWER` arrived.
    pub(super) fn on_answer(
        &mut self,
        cx: &mut Ctx<'_>,
        from: Peer,
        nonce: u64,
        (hops, asker, newcomer, holder): (u16, PeerId, PeerId, PeerId),
    ) {
        if !self.is_member() {
            return;
        }
        acknowledge(cx, from, Code::Answer, nonce);
        if !self.courier.is_new(Code::Answer, nonce) {
            return;
        }
        if asker == cx.me() {
            self.was_answered(cx, newcomer, nonce, holder);
        } else if hops < hops_max(cx.peers, &self.quitting) {
            let msg = Msg::Answer { hops: hops + 1, asker, newcomer, holder };
            self.pass_on(cx, &Letter { nonce, msg }, None);
        }
    }

    /// Sends a query or an answer to the next member, `but` excepted.
    pub(super) fn pass_on(&mut self, cx: &mut Ctx<'_>, letter: &Letter, but: Option<Peer>) {
        let (aim, newcomer, code) = match &letter.msg {
            Msg::Query(q) => (q.asker, q.newcomer, Code::Query),
            Msg::Answer { asker, newcomer, .. } => (*asker, *newcomer, Code::Answer),
            _ => return,
        };
        let straight = cx.peers.find(&aim).filter(|p| code == Code::Answer && self.linked.contains(p));
        let next =
            straight.filter(|&p| Some(p) != but).or_else(|| self.next_hop(cx.peers, aim, newcomer, but));
        if let Some(next) = next {
            self.courier.post_bytes(cx, next, code, letter.nonce, letter.encode(), Some(aim));
        }
    }

    /// The next linked member clockwise, unless the aim would be skipped. Newcomers that are members by an old
    /// roster entry only pass nothing on yet.
    fn next_hop(&self, peers: &PeerTable, aim: PeerId, newcomer: PeerId, but: Option<Peer>) -> Option<Peer> {
        let passes_on = |peer: Peer, id: PeerId| {
            self.linked.contains(&peer)
                && Some(peer) != but
                && id != newcomer
                && !self.admissions.get(&id).is_some_and(Admission::is_open)
        };
        let (next, entry) = order::members(peers, &self.quitting).find(|&(p, e)| passes_on(p, e.id))?;
        (!order::between(peers.id(Peer::ME), aim, entry.id)).then_some(next)
    }

    /// Letters that a neighbour did not take: those on their way round take another.
    pub(super) fn reroute(&mut self, cx: &mut Ctx<'_>, lost: Vec<Pending>) {
        for pending in lost.into_iter().filter(|p| p.aim.is_some()) {
            if let Ok(letter) = Letter::decode(&pending.body) {
                self.pass_on(cx, &letter, Some(pending.to));
            }
        }
    }
}
