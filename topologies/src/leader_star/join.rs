//! Joining: through any member, which sends the newcomer to the leader; the leader looks at the nick.
//!
//! Without a leader, or when the newcomer cannot reach it, the asked member lets it in after a while by its own
//! roster: it can talk, and gets its vote from the next leader. Should two members then hold one nick, the roster's rule
//! settles it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::{Addr, PeerTable};
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::messages::{Msg, PLACES_MAX, Place};
use super::state::{Phase, Star, send};
use crate::election::Election;

/// The first wait before a `JOIN` is sent again; it doubles this often.
const RETRY: (Duration, u32) = (Duration::from_millis(200), 2);
/// How long a newcomer is left to the leader before any member lets it in.
const PATIENCE: Duration = Duration::from_secs(4);
/// Newcomers remembered at most, and for how long: those that wait, and those whose nick is reserved.
const ADMISSIONS_MAX: usize = PLACES_MAX;
pub(super) const REMEMBER: Duration = Duration::from_secs(10);
/// The share of the timeout after which a newcomer that does not answer loses its vote again: more than a heartbeat, and
/// before its leader counts as without a majority.
const GRACE: f64 = 0.75;

/// A request under way.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    contact: Peer,
    /// The leader that the contact named.
    leader: Option<PeerId>,
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

    /// Whom to be linked to.
    pub(super) fn asked(&self, peers: &PeerTable) -> impl Iterator<Item = Peer> {
        let leader = self.leader.and_then(|id| peers.find(&id));
        std::iter::once(self.contact).chain(leader)
    }
}

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
    /// This node wants to become a member. For one that already is, nothing is left to do.
    pub(super) fn start_join(&mut self, cx: &mut Ctx<'_>, contact: Peer, nick: Arc<str>, claimed_at: u64) {
        if self.is_member() {
            cx.out.joined();
            return;
        }
        let nonce = cx.rng.next_u64();
        let (leader, tries, at) = (None, 0, cx.now);
        self.phase = Phase::Joining(Joining { contact, leader, nick, claimed_at, nonce, tries, at });
        self.begin(cx, None);
        self.settle(cx);
        self.ask(cx);
    }

    /// Sends the `JOIN` when it is due, to the leader if it is linked, and else to the contact. Goes on for as long as
    /// nothing answers: when the link is gone the engine names another contact.
    pub(super) fn ask(&mut self, cx: &mut Ctx<'_>) {
        let Phase::Joining(joining) = &mut self.phase else { return };
        if joining.at > cx.now {
            return;
        }
        joining.at = cx.now + cx.rng.jitter(RETRY.0 * (1 << joining.tries.min(RETRY.1)), 0.2);
        joining.tries = joining.tries.saturating_add(1);
        let Joining { nonce, claimed_at, .. } = *joining;
        let addrs = cx.peers.get(Peer::ME).addrs.clone();
        let msg = Msg::Join { nonce, nick: joining.nick.clone(), claimed_at, addrs };
        let contact = joining.contact;
        let leader = joining.leader.and_then(|id| cx.peers.find(&id));
        for peer in [Some(contact), leader.filter(|&p| p != contact)].into_iter().flatten() {
            if self.linked.contains(&peer) || cx.peers.get(peer).linked {
                send(cx, peer, &msg);
            }
        }
    }

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

    /// Those that are to have a vote before they are let in, and until when they count as there: while they are linked, and
    /// with a vote while they answer. A leader of two that waited longer for one that has died would lose its majority.
    pub(super) fn guests(&self, cx: &Ctx<'_>) -> impl Iterator<Item = (PeerId, Instant)> {
        let election = self.election.as_ref().filter(|e| e.is_leader());
        let grace = self.settings.timeout.0.mul_f64(GRACE);
        let until = move |election: &Election, id: &PeerId, last: Instant| {
            let answered = election.heard(id).filter(|_| election.roll().has(id));
            answered.map_or(last + REMEMBER, |at| (at + grace).min(last + REMEMBER))
        };
        let linked = |id: &PeerId| cx.peers.find(id).is_some_and(|p| self.linked.contains(&p));
        let guests = self.admissions.0.iter().filter(|(_, a)| a.guest);
        guests.filter_map(move |(id, a)| {
            election.map(|e| (*id, if linked(id) { until(e, id, a.last) } else { Instant::ZERO }))
        })
    }

    /// Looks again when the next newcomer with a vote is overdue.
    pub(super) fn watch_guests(&mut self, cx: &Ctx<'_>) {
        let next = self.guests(cx).map(|(_, until)| until).filter(|until| *until > cx.now).min();
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

    /// The contact names the leader: it is dialled, and asked as soon as it is linked.
    pub(super) fn on_redirect(&mut self, cx: &mut Ctx<'_>, nonce: u64, leader: PeerId, addrs: Vec<Addr>) {
        let Phase::Joining(joining) = &mut self.phase else { return };
        if joining.nonce != nonce || leader == cx.me() {
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
        if matches!(&self.phase, Phase::Joining(j) if j.nonce == nonce) {
            self.anchor = Some(from);
            self.become_member(cx);
            self.settle(cx);
        }
    }

    /// The nick is taken; the engine may ask again with another.
    pub(super) fn on_refused(&mut self, cx: &mut Ctx<'_>, nonce: u64, holder: PeerId) {
        let Phase::Joining(joining) = &self.phase else { return };
        if joining.nonce == nonce {
            let reason = format!("the nick `{}` is held by {holder:?}", joining.nick);
            self.phase = Phase::Outside;
            cx.out.refuse("nick-taken", reason);
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
            joining.at = cx.now;
            self.ask(cx);
        }
    }

    /// The engine forgot a peer: if it was the contact, another one has to be named.
    pub(super) fn forget_contact(&mut self, peer: Peer) {
        if matches!(&self.phase, Phase::Joining(joining) if joining.contact == peer) {
            self.phase = Phase::Outside;
        }
    }
}
