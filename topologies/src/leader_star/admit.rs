//! The asked member's side of joining: the leader looks at the nick, and gives the newcomer a vote before it lets it in.
//!
//! Without a leader, or when the newcomer cannot reach it, the asked member lets it in after a while by its own
//! roster: it can talk, and gets its vote from the next leader. Should two members then hold one nick, the roster's rule
//! settles it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::Addr;
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::messages::{Msg, PLACES_MAX, Place};
use super::state::{Phase, Star, send};
use crate::election::Election;

/// How long a newcomer is left to the leader before any member lets it in.
const PATIENCE: Duration = Duration::from_secs(4);
/// Newcomers remembered at most, and for how long: those that wait, and those whose nick is reserved.
const ADMISSIONS_MAX: usize = PLACES_MAX;
pub(super) const REMEMBER: Duration = Duration::from_secs(10);
/// Newcomers that wait ask again within this time.
const ASKS: Duration = Duration::from_secs(2);
/// The share of the timeout after which a newcomer that does not answer loses its vote again: more than a heartbeat, and
/// before its leader counts as without a majority.
const GRACE: f64 = 0.75;

/// A newcomer that asked this member.
#[derive(Clone, Debug)]
struct Admission {
    nick: Arc<str>,
    claimed_at: u64,
    since: Instant,
    last: Instant,
    /// The nick is kept for it.
    accepted: bool,
    /// The request to be answered once it has its vote.
    waits: Option<u64>,
    /// It is let in, and the roster has not shown it yet.
    guest: bool,
}

/// Newcomers that asked this member lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Admissions(BTreeMap<PeerId, Admission>);

impl Star {
    /// A `JOIN` arrived. The same request again gets the same answer again.
    pub(super) fn on_join(
        &mut self,
        cx: &mut Ctx<'_>,
        from: Peer,
        nonce: u64,
        nick: &Arc<str>,
        claimed_at: u64,
        addrs: Vec<Addr>,
    ) {
        if !matches!(self.phase, Phase::Member) {
            return;
        }
        let (now, newcomer) = (cx.now, cx.peers.id(from));
        self.admissions.0.retain(|_, a| now.since(a.last) < REMEMBER);
        if self.admissions.0.len() >= ADMISSIONS_MAX && !self.admissions.0.contains_key(&newcomer) {
            return; // It asks again.
        }
        let (nick_kept, accepted, waits, guest) = (nick.clone(), false, None, false);
        let fresh = Admission { nick: nick_kept, claimed_at, since: now, last: now, accepted, waits, guest };
        let admission = self.admissions.0.entry(newcomer).or_insert(fresh);
        admission.last = now;
        if admission.nick != *nick {
            (admission.nick, admission.claimed_at, admission.accepted) = (nick.clone(), claimed_at, false);
        }
        let waited = now.since(admission.since) >= PATIENCE;
        if self.leads() {
            self.places.note(now, Place { id: newcomer, addrs });
        }
        if self.leads() || waited {
            self.decide(cx, from, nonce, nick, waited);
        } else if let Some(leader) = self.leader() {
            let addrs: Vec<Addr> =
                cx.peers.find(&leader).map_or_else(Vec::new, |p| cx.peers.get(p).addrs.clone());
            send(cx, from, &Msg::Redirect { nonce, leader, addrs });
        }
    }

    /// Lets a newcomer in, at once or as soon as it has its vote, unless another holds its nick or asked for it first.
    fn decide(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, nick: &str, at_once: bool) {
        let newcomer = cx.peers.id(from);
        let held = cx.peers.live().find(|(_, e)| &*e.nick == nick && e.id != newcomer).map(|(_, e)| e.id);
        let claim = self.admissions.0.get(&newcomer).map_or(u64::MAX, |a| a.claimed_at);
        let rivals = self.admissions.0.iter().filter(|(id, a)| **id != newcomer && &*a.nick == nick);
        let reserved = rivals.filter(|(id, a)| a.accepted || (a.claimed_at, **id) < (claim, newcomer));
        let holder = held.or_else(|| reserved.map(|(id, _)| *id).next());
        match holder {
            Some(holder) => send(cx, from, &Msg::Refused { nonce, holder }),
            None => {
                if let Some(admission) = self.admissions.0.get_mut(&newcomer) {
                    (admission.accepted, admission.guest) = (true, true);
                    admission.waits = Some(nonce).filter(|_| !at_once);
                }
                if at_once {
                    send(cx, from, &Msg::Accepted { nonce });
                } else {
                    self.count_members(cx);
                }
            }
        }
    }

    /// The roster shows a member: whether it stays is the roster's to say from now on.
    pub(super) fn on_arrival(&mut self, cx: &Ctx<'_>, peer: Peer) {
        if cx.peers.get(peer).is_live()
            && let Some(admission) = self.admissions.0.get_mut(&cx.peers.id(peer))
        {
            admission.guest = false;
        }
    }

    /// Those that are to have a vote before they are let in, and until when they count as there. New ones only while the
    /// members with a vote outnumber them, or there is but one: should all of them go, a majority is left.
    pub(super) fn guests(&self, cx: &Ctx<'_>) -> BTreeMap<PeerId, Instant> {
        let Some(election) = self.election.as_ref().filter(|e| e.is_leader()) else { return BTreeMap::new() };
        let roll = election.roll();
        let (with_vote, waiting): (Vec<_>, Vec<_>) =
            self.admissions.0.iter().filter(|(_, a)| a.guest).partition(|(id, _)| roll.has(id));
        let members = roll.members.len().saturating_sub(with_vote.len());
        let room = members.saturating_sub(1).max(1).saturating_sub(with_vote.len());
        let mut guests: BTreeMap<PeerId, Instant> =
            with_vote.into_iter().map(|(id, a)| (*id, self.stays_until(cx, election, id, a))).collect();
        let mut queue: Vec<_> =
            waiting.into_iter().filter(|(id, a)| a.last + ASKS > cx.now && self.is_linked(cx, id)).collect();
        queue.sort_unstable_by_key(|(id, a)| (a.since, **id));
        guests.extend(queue.into_iter().take(room).map(|(id, a)| (*id, a.last + ASKS)));
        guests
    }

    /// A newcomer with a vote is there while it is linked and answers: a leader of two that waited longer for one that has
    /// died would lose its majority, and never get it back.
    fn stays_until(&self, cx: &Ctx<'_>, election: &Election, id: &PeerId, admission: &Admission) -> Instant {
        match election.heard(id).filter(|_| self.is_linked(cx, id)) {
            Some(at) => (at + self.settings.timeout.0.mul_f64(GRACE)).min(admission.last + REMEMBER),
            None => Instant::ZERO,
        }
    }

    fn is_linked(&self, cx: &Ctx<'_>, id: &PeerId) -> bool {
        cx.peers.find(id).is_some_and(|peer| self.linked.contains(&peer))
    }

    /// Looks again when the next newcomer is overdue.
    pub(super) fn watch_guests(&mut self, cx: &Ctx<'_>) {
        let next = self.guests(cx).into_values().filter(|until| *until > cx.now).min();
        next.into_iter().for_each(|at| self.look_at(at));
    }

    /// Tells newcomers that have their vote that they are in. So of those that are in, a majority elects the next leader
    /// whenever this one goes.
    pub(super) fn let_in(&mut self, cx: &mut Ctx<'_>) {
        let Some(election) = self.election.as_ref().filter(|e| e.is_leader()) else { return };
        for (id, admission) in self.admissions.0.iter_mut().filter(|(_, a)| a.waits.is_some()) {
            if (election.has_vote(id) || election.is_full())
                && let Some(peer) = cx.peers.find(id)
                && let Some(nonce) = admission.waits.take()
            {
                send(cx, peer, &Msg::Accepted { nonce });
            }
        }
    }
}
