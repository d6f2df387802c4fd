//! Leading: heartbeats, the majority that must answer them, and the list.
//!
//! The list changes by one member at a time, and only when a majority of the list before holds it: then any majority
//! of one shares a member with any majority of the next (Ongaro 2014, section 4.1), and that member refuses its vote
//! to whoever stands with the older list. Only what was added last is taken back at once: the list is then the one before.

use std::collections::{BTreeMap, VecDeque};

use tertulia_core::ballot::{Ballot, Certificate, ELECTORS_MAX, majority};
use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;

use super::{Effect, Election, Io, Message, Role, Tag};

/// Heartbeats remembered at most; older ones prove no contact any more.
const BEATS_MAX: usize = 256;

/// How far a follower is.
#[derive(Clone, Copy, Debug, Default)]
struct Follower {
    /// When the last heartbeat that it answered was sent.
    reached: Option<Instant>,
    /// The list that it holds.
    has: Tag,
}

/// A leader's state.
#[derive(Clone, Debug)]
pub(super) struct Leading {
    /// When the votes were won.
    since: Instant,
    next_beat: Instant,
    number: u64,
    /// Heartbeats and when they were sent.
    sent: VecDeque<(u64, Instant)>,
    followers: BTreeMap<PeerId, Follower>,
    /// A majority holds the present list.
    agreed: bool,
    /// The last list that a majority held.
    pub(super) settled: Vec<PeerId>,
}

impl Leading {
    pub(super) fn next_deadline(&self, election: &Election) -> Option<Instant> {
        let lease = election.reached_majority(self).map(|at| at + election.patience());
        Some(lease.map_or(self.next_beat, |at| at.min(self.next_beat)))
    }

    /// True when `who` has answered with a list that it holds.
    pub(super) fn holds_one(&self, who: &PeerId) -> bool {
        self.followers.get(who).is_some_and(|f| f.has != Tag::default())
    }

    pub(super) fn reached(&self, who: &PeerId) -> Instant {
        self.followers.get(who).and_then(|f| f.reached).unwrap_or(self.since)
    }
}

impl Election {
    /// The votes are won. The list is the leader's own from now on: it is written anew under its ballot, and changes
    /// when a majority holds it.
    pub(super) fn begin_to_lead(&mut self, io: &mut Io<'_>, proof: Certificate) {
        self.kept.roll.members.clone_from(&proof.members);
        self.kept.roll.tag = Tag { ballot: proof.ballot, version: 0 };
        self.voteless.clear();
        self.keep(io);
        (self.leader, self.proof, self.timer) = (Some(self.me), Some(proof), None);
        self.role = Role::Leader(Leading {
            since: io.now,
            next_beat: io.now,
            number: 0,
            sent: VecDeque::new(),
            followers: BTreeMap::new(),
            agreed: self.kept.roll.members.len() == 1,
            settled: self.kept.roll.members.clone(),
        });
        self.lead_on(io);
        self.change_list(io);
    }

    /// Steps down without a majority; sends heartbeats when they are due.
    pub(super) fn lead_on(&mut self, io: &mut Io<'_>) {
        let Role::Leader(leading) = &self.role else { return };
        let lost = self.reached_majority(leading).is_some_and(|at| at + self.patience() <= io.now);
        if lost {
            self.step_down(io);
        } else if leading.next_beat <= io.now {
            self.beat(io, None);
        }
    }

    pub(super) fn step_down(&mut self, io: &mut Io<'_>) {
        self.role = Role::Follower;
        (self.leader, self.proof, self.contact) = (None, None, None);
        self.rest(io);
    }

    /// When the youngest heartbeat was sent that a majority has answered; `None` for whoever is its own majority.
    fn reached_majority(&self, leading: &Leading) -> Option<Instant> {
        let electors = self.electors();
        let others = majority(electors.len()).checked_sub(2)?;
        let mut times: Vec<Instant> =
            electors.iter().filter(|m| **m != self.me).map(|m| leading.reached(m)).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.get(others).copied()
    }

    /// Sends a heartbeat to `to`, or to everybody: with list and certificate to those who do not hold them.
    pub(super) fn beat(&mut self, io: &mut Io<'_>, to: Option<&[PeerId]>) {
        let pause = self.settings.heartbeat;
        let Role::Leader(leading) = &mut self.role else { return };
        leading.number += 1;
        let number = leading.number;
        leading.sent.push_back((number, io.now));
        if leading.sent.len() > BEATS_MAX {
            leading.sent.pop_front();
        }
        if to.is_none() {
            leading.next_beat = io.now + pause;
        }
        let (roll, ballot) = (&self.kept.roll, self.kept.ballot);
        let Some(proof) = &self.proof else { return };
        let others = roll.members.iter().chain(self.present.iter().filter(|p| !roll.has(p)));
        let all: Vec<PeerId> = others.copied().filter(|p| *p != self.me && !self.left.contains(p)).collect();
        for &who in to.unwrap_or(&all) {
            let holds = leading.followers.get(&who).is_some_and(|f| f.has == roll.tag);
            let message = if holds {
                Message::Beat { number, ballot, tag: roll.tag }
            } else {
                Message::Lead { number, roll: roll.clone(), proof: proof.clone() }
            };
            io.out.push(Effect::Send(who, message));
        }
    }

    /// Somebody answered a heartbeat.
    pub(super) fn on_ack(&mut self, io: &mut Io<'_>, from: PeerId, number: u64, seen: Ballot, tag: Tag) {
        let ballot = self.kept.ballot;
        let outdone = match self.settings.rule {
            super::Rule::Ballot => seen > ballot,
            super::Rule::Plain => seen.term > ballot.term,
        };
        let Role::Leader(leading) = &mut self.role else { return };
        if outdone {
            // Somebody stood with a higher one, and a voter will not go back.
            if self.hear_of_term(seen) {
                self.step_down(io);
            }
            return;
        }
        let Some(&(_, at)) = leading.sent.iter().find(|(n, _)| *n == number) else { return };
        let follower = leading.followers.entry(from).or_default();
        if seen == ballot && tag != Tag::default() {
            follower.reached = follower.reached.max(Some(at));
        }
        follower.has = tag;
        self.change_list(io);
    }

    /// Members came or went.
    pub(super) fn on_members(&mut self, io: &mut Io<'_>, news: &[PeerId]) {
        let Role::Leader(leading) = &mut self.role else { return };
        let present = &self.present;
        let roll = &self.kept.roll;
        leading.followers.retain(|who, _| present.contains(who) || roll.has(who));
        // Whoever comes back after a goodbye has given up what it held.
        leading.followers.retain(|who, _| !self.left.contains(who));
        let news: Vec<PeerId> =
            news.iter().copied().filter(|p| *p != self.me && !self.left.contains(p)).collect();
        if !news.is_empty() {
            self.beat(io, Some(&news));
        }
        self.change_list(io);
    }

    /// Brings the list one member nearer to those present, once a majority holds it as it is. Whoever is put on it holds
    /// the one before.
    pub(super) fn change_list(&mut self, io: &mut Io<'_>) {
        loop {
            let electors = self.electors();
            let Role::Leader(leading) = &mut self.role else { return };
            let tag = self.kept.roll.tag;
            let holds =
                |m: &&PeerId| **m == self.me || leading.followers.get(*m).is_some_and(|f| f.has == tag);
            if !leading.agreed && electors.iter().filter(holds).count() >= majority(electors.len()) {
                leading.agreed = true;
                leading.settled.clone_from(&self.kept.roll.members);
            }
            let gone = |m: &&PeerId| !electors.contains(m) || (**m != self.me && !self.present.contains(*m));
            // Whom no majority has on its list yet can be struck at once: majorities of the list before meet those of both.
            let strikable = |m: &&PeerId| leading.agreed || leading.settled.binary_search(m).is_err();
            let roll = &mut self.kept.roll;
            if let Some(gone) = roll.members.iter().filter(gone).find(strikable).copied() {
                roll.remove(&gone);
                self.voteless.remove(&gone);
                // Should it come back, it has to answer anew.
                leading.followers.remove(&gone);
            } else if !leading.agreed {
                return;
            } else if let Some(new) =
                self.present.iter().filter(|m| !roll.has(m) && !self.left.contains(*m)).find(holds).copied()
                && roll.members.len() < ELECTORS_MAX
            {
                roll.add(new);
            } else {
                return;
            }
            roll.tag.version += 1;
            leading.agreed = false;
            self.keep(io);
            self.beat(io, None);
        }
    }

    /// The leader goes: of the followers with the latest list, the one that answered last stands in its place.
    pub(super) fn hand_over(&mut self, io: &mut Io<'_>) {
        let Role::Leader(leading) = &self.role else { return };
        let others = self.agreed().into_iter().filter(|m| *m != self.me);
        let ready =
            others.filter_map(|m| leading.followers.get(&m).and_then(|f| Some((f.has, f.reached?, m))));
        if let Some((_, _, heir)) = ready.max() {
            io.out.push(Effect::Send(heir, Message::Resign { ballot: self.kept.ballot }));
        }
    }
}
