//! The asked member's side of joining: reservations, and the verdict.
//!
//! An admission is also a reservation of its nick. Two newcomers that want the same nick at the same time through
//! different members meet because each query visits the other asker while it asks, or before its verdict is given:
//! the smaller (claimed-at, peer id) wins among those still asking, and a given verdict stands.

use core::time::Duration;
use std::sync::Arc;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::{Addr, Entry, State};
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::messages::{Letter, Msg, Place, Query, Side};
use super::order;
use super::planted::Planted;
use super::state::{Phase, Ring};

/// Admissions remembered at most; a newcomer beyond that asks again later.
const ADMISSIONS_MAX: usize = 64;
/// How long a verdict is remembered, and the nick of an accepted newcomer reserved.
const RESERVE: Duration = Duration::from_secs(10);
/// Queries sent round before the roster decides alone.
const ROUNDS: usize = 3;
/// The wait for a query to come round: a base, a share per member, and the most.
const ROUND: (Duration, Duration, Duration) =
    (Duration::from_millis(500), Duration::from_millis(50), Duration::from_secs(5));

/// A newcomer that asked this member.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    nick: Arc<str>,
    claimed_at: u64,
    addrs: Vec<Addr>,
    /// The nonce of its `JOIN`.
    nonce: u64,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Queries with these nonces are on their way; the next step is due at `at`.
    Asking { rounds: Vec<u64>, at: Instant },
    /// It is in.
    Accepted { until: Instant },
    /// It is not.
    Refused { holder: PeerId, until: Instant },
}

impl Admission {
    /// When something has to be done about it.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Asking { at, .. } => Some(at),
            _ => None,
        }
    }

    /// True while no verdict was given.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Asking { .. })
    }

    /// True when the query with this nonce was sent for it and no verdict was given.
    fn awaits(&self, nonce: u64) -> bool {
        matches!(&self.stage, Stage::Asking { rounds, .. } if rounds.contains(&nonce))
    }

    fn is_kept(&self, now: Instant) -> bool {
        match self.stage {
            Stage::Asking { .. } => true,
            Stage::Accepted { until } | Stage::Refused { until, .. } => until > now,
        }
    }
}

impl Ring {
    /// A `JOIN` arrived. The same request again gets the same answer again.
    pub(super) fn on_join(
        &mut self,
        cx: &mut Ctx<'_>,
        from: Peer,
        nonce: u64,
        nick: Arc<str>,
        claimed_at: u64,
        addrs: Vec<Addr>,
    ) {
        if !matches!(self.phase, Phase::Member) {
            return;
        }
        self.admissions.retain(|_, a| a.is_kept(cx.now));
        let newcomer = cx.peers.id(from);
        match self.admissions.get(&newcomer) {
            Some(known) if known.nonce == nonce => {
                match known.stage {
                    Stage::Asking { .. } => {}
                    Stage::Accepted { .. } => self.send_accepted(cx, newcomer),
                    Stage::Refused { holder, .. } => self.send_verdict(cx, newcomer, Msg::Refused { holder }),
                }
                return;
            }
            None if self.admissions.len() >= ADMISSIONS_MAX => return,
            _ => {}
        }
        let held = self.claimed(cx, &nick, newcomer, claimed_at);
        let stage = Stage::Asking { rounds: Vec::new(), at: cx.now };
        self.admissions.insert(newcomer, Admission { nick, claimed_at, addrs, nonce, stage });
        match held {
            Some(holder) => self.refuse(cx, newcomer, holder),
            None => self.next_round(cx, newcomer),
        }
    }

    /// Whoever holds or has reserved a nick here, seen from another newcomer that wants it. Reservations still open
    /// with a larger claim lose against it.
    pub(super) fn claimed(
        &mut self,
        cx: &mut Ctx<'_>,
        nick: &str,
        newcomer: PeerId,
        claimed_at: u64,
    ) -> Option<PeerId> {
        let me = cx.me();
        if newcomer != me && &*cx.peers.get(Peer::ME).nick == nick {
            return Some(me);
        }
        let rivals = self.admissions.iter().filter(|(id, a)| **id != newcomer && &*a.nick == nick);
        let mut losers = Vec::new();
        for (&id, rival) in rivals {
            match rival.stage {
                Stage::Accepted { until } if until > cx.now => return Some(id),
                Stage::Asking { .. } if (rival.claimed_at, id) < (claimed_at, newcomer) => return Some(id),
                Stage::Asking { .. } => losers.push(id),
                _ => {}
            }
        }
        for loser in losers {
            self.refuse(cx, loser, newcomer);
        }
        None
    }

    /// Sends the next query round; decides at once when alone, and by the roster after the last round. Whoever just
    /// came in itself and has no roster yet is not alone.
    fn next_round(&mut self, cx: &mut Ctx<'_>, newcomer: PeerId) {
        let others = order::members(cx.peers, &self.quitting).filter(|(_, e)| e.id != newcomer).count();
        let Some(admission) = self.admissions.get_mut(&newcomer) else { return };
        let Stage::Asking { rounds, at } = &mut admission.stage else { return };
        if (others == 0 && self.anchor.is_none()) || rounds.len() >= ROUNDS {
            self.decide(cx, newcomer);
            return;
        }
        let nonce = cx.rng.next_u64();
        rounds.push(nonce);
        let share = ROUND.1.saturating_mul(u32::try_from(others).unwrap_or(u32::MAX));
        *at = cx.now + (ROUND.0 + share).min(ROUND.2);
        let query = Query {
            hops: 0,
            asker: cx.me(),
            newcomer,
            nick: admission.nick.clone(),
            claimed_at: admission.claimed_at,
        };
        self.pass_on(cx, &Letter { nonce, msg: Msg::Query(query) }, None);
    }

    /// A query of ours came round: nobody on the way holds the nick.
    pub(super) fn came_round(&mut self, cx: &mut Ctx<'_>, newcomer: PeerId, nonce: u64) {
        if self.admissions.get(&newcomer).is_some_and(|a| a.awaits(nonce)) {
            self.decide(cx, newcomer);
        }
    }

    /// A query of ours was answered: somebody holds the nick.
    pub(super) fn was_answered(&mut self, cx: &mut Ctx<'_>, newcomer: PeerId, nonce: u64, holder: PeerId) {
        if self.admissions.get(&newcomer).is_some_and(|a| a.awaits(nonce)) {
            self.refuse(cx, newcomer, holder);
        }
    }

    /// Gives the verdict by what the roster knows, which covers suspects that no query could ask.
    fn decide(&mut self, cx: &mut Ctx<'_>, newcomer: PeerId) {
        let Some(admission) = self.admissions.get_mut(&newcomer) else { return };
        let held = |(_, e): &(Peer, &Entry)| e.nick == admission.nick && e.id != newcomer;
        if let Some((holder, _)) = cx.peers.live().find(held) {
            let holder = cx.peers.id(holder);
            self.refuse(cx, newcomer, holder);
            return;
        }
        admission.stage = Stage::Accepted { until: cx.now + RESERVE };
        let named = Place { id: newcomer, addrs: admission.addrs.clone() };
        self.send_accepted(cx, newcomer);
        if self.tuning.planted != Some(Planted::Chord2001Join) {
            self.announce(cx, &named);
        }
        self.settle(cx);
    }

    /// `CHANGE_PREC` to the newcomer's successor, and the like to its predecessor, as far as they are linked here;
    /// the newcomer greets both when it is linked to them.
    fn announce(&mut self, cx: &mut Ctx<'_>, named: &Place) {
        let ring = order::clockwise_from(cx.peers, &self.quitting, named.id);
        for (peer, side) in [(ring.first(), Side::Predecessor), (ring.last(), Side::Successor)] {
            match peer {
                Some(&Peer::ME) => self.hear_of(cx, named),
                Some(&peer) if self.linked.contains(&peer) => self.greet(cx, peer, side, named.clone()),
                _ => {}
            }
        }
    }

    fn refuse(&mut self, cx: &mut Ctx<'_>, newcomer: PeerId, holder: PeerId) {
        if let Some(admission) = self.admissions.get_mut(&newcomer) {
            admission.stage = Stage::Refused { holder, until: cx.now + RESERVE };
            self.send_verdict(cx, newcomer, Msg::Refused { holder });
        }
    }

    fn send_accepted(&mut self, cx: &mut Ctx<'_>, newcomer: PeerId) {
        let around = self.around(cx.peers, newcomer);
        self.send_verdict(cx, newcomer, Msg::Accepted(around));
    }

    fn send_verdict(&mut self, cx: &mut Ctx<'_>, newcomer: PeerId, msg: Msg) {
        let nonce = self.admissions.get(&newcomer).map(|a| a.nonce);
        if let (Some(nonce), Some(peer)) = (nonce, cx.peers.find(&newcomer)) {
            self.courier.post(cx, peer, &Letter { nonce, msg });
        }
    }

    /// Starts the next round of those whose query did not come round in time.
    pub(super) fn hurry_admissions(&mut self, cx: &mut Ctx<'_>) {
        let is_due = |a: &Admission| a.next_deadline().is_some_and(|at| at <= cx.now);
        let due: Vec<PeerId> = self.admissions.iter().filter(|(_, a)| is_due(a)).map(|(&id, _)| id).collect();
        for newcomer in due {
            self.next_round(cx, newcomer);
        }
    }

    /// A member went: its reservation goes with it.
    pub(super) fn end_reservation(&mut self, cx: &Ctx<'_>, peer: Peer) {
        let entry = cx.peers.get(peer);
        if matches!(entry.state, State::Dead | State::Left)
            && self.admissions.get(&entry.id).is_some_and(|a| !a.is_open())
        {
            self.admissions.remove(&entry.id);
        }
    }
}
