#![doc = include_str!("docs.md")]

mod follow;
mod kept;
mod lead;
mod messages;
mod settings;
mod vote;

#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tertulia_core::auth::{Auth, Signature};
use tertulia_core::ballot::{Ballot, Certificate, ELECTORS_MAX};
use tertulia_core::id::PeerId;
use tertulia_core::rng::NodeRng;
use tertulia_core::time::{Instant, earliest};

pub use kept::{Kept, Roll, Tag};
pub use messages::Message;
pub use settings::{Planted, Rule, Settings};

use lead::Leading;

/// What an elector can see and do during one call.
pub struct Io<'a> {
    /// The time.
    pub now: Instant,
    /// Randomness: ranks and timeouts.
    pub rng: &'a mut NodeRng,
    /// Votes are signed with it, and checked.
    pub auth: &'a dyn Auth,
    /// Where its answers go, in order.
    pub out: &'a mut Vec<Effect>,
}

/// What an elector wants done, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Store this for the next run; what follows may be sent only when it is safe.
    Persist(Bytes),
    /// Send this. It may be lost.
    Send(PeerId, Message),
}

/// What an elector is at the moment.
#[derive(Clone, Debug)]
enum Role {
    /// It follows, or waits for somebody to follow.
    Follower,
    /// It asks whether to stand.
    Asking { ballot: Ballot, yes: BTreeSet<PeerId>, list: Vec<PeerId>, resend: Instant },
    /// It stands.
    Candidate { votes: BTreeMap<PeerId, Signature>, list: Vec<PeerId>, resend: Instant },
    /// It leads.
    Leader(Leading),
}

/// One member's part in the election. It knows ids and messages, and nothing of links, rosters or parcels.
#[derive(Clone, Debug)]
pub struct Election {
    me: PeerId,
    settings: Settings,
    kept: Kept,
    role: Role,
    /// Whose certificate for the kept ballot was seen.
    leader: Option<PeerId>,
    /// That certificate.
    proof: Option<Certificate>,
    /// When the leader was last heard.
    contact: Option<Instant>,
    /// When patience ends; `None` for those without a vote.
    timer: Option<Instant>,
    /// The highest term heard of.
    term: u64,
    /// Members that said goodbye: they count no more, whoever leads.
    left: BTreeSet<PeerId>,
    /// Members that hold no list and said so: under the present one they will not vote.
    voteless: BTreeSet<PeerId>,
    /// Whom a leader tells that it leads, and would have on the list.
    present: BTreeSet<PeerId>,
    /// The best ballot that got a pre-vote, in electors planted with that fault.
    pre_voted: Ballot,
}

impl Election {
    /// An elector with what it stored in an earlier run. Bytes that make no sense count as nothing: it has no vote
    /// before a leader gives it one.
    #[must_use]
    pub fn new(me: PeerId, settings: Settings, stored: Option<&[u8]>) -> Self {
        let kept = stored.and_then(|bytes| Kept::decode(bytes).ok()).unwrap_or_default();
        Election {
            me,
            settings,
            term: kept.ballot.term,
            kept,
            role: Role::Follower,
            leader: None,
            proof: None,
            contact: None,
            timer: None,
            left: BTreeSet::new(),
            voteless: BTreeSet::new(),
            present: BTreeSet::new(),
            pre_voted: Ballot::default(),
        }
    }

    /// Begins. An elector of an earlier run has its vote at once and waits for a leader; others wait for one to give
    /// them a vote.
    pub fn start(&mut self, io: &mut Io<'_>) {
        self.rest(io);
    }

    /// The first of a group: it is the list, and leads.
    pub fn found(&mut self, io: &mut Io<'_>) {
        self.kept.roll.members = vec![self.me];
        let ballot = self.next_ballot(io.rng);
        self.stand(io, ballot);
    }

    /// Gives the vote up for good: a leader makes room for a follower first. What was granted stays stored, and the others
    /// are told how far that goes.
    pub fn retire(&mut self, io: &mut Io<'_>) {
        self.hand_over(io);
        let last = Message::NoVote { tag: self.kept.roll.tag, seen: self.kept.ballot };
        for &to in self.kept.roll.members.iter().filter(|m| **m != self.me) {
            io.out.push(Effect::Send(to, last.clone()));
        }
        self.role = Role::Follower;
        self.leader = None;
        self.kept.roll.members.clear();
        self.keep(io);
        self.timer = None;
    }

    /// Who is there, as the owner knows: a leader tells them that it leads and has them on its list, and takes off the
    /// list whoever is not among them. `left` said goodbye and counts for nobody any more.
    pub fn set_members(&mut self, io: &mut Io<'_>, mut present: BTreeSet<PeerId>, left: BTreeSet<PeerId>) {
        present.insert(self.me);
        if (&present, &left) == (&self.present, &self.left) {
            return;
        }
        let news: Vec<PeerId> = present.difference(&self.present).copied().collect();
        (self.present, self.left) = (present, left);
        self.on_members(io, &news);
    }

    /// A member can be reached, possibly again: it is told at once what the next heartbeat would tell it.
    pub fn on_link(&mut self, io: &mut Io<'_>, who: PeerId) {
        if !self.is_leader() {
            self.ask(io, Some(who));
        } else if self.present.contains(&who) || self.kept.roll.has(&who) {
            self.beat(io, Some(&[who]));
        }
    }

    /// A message from `from`, which the owner has authenticated.
    pub fn on_message(&mut self, io: &mut Io<'_>, from: PeerId, message: Message) {
        match message {
            Message::Pre { ballot, tag } => self.on_pre(io, from, ballot, tag),
            Message::PreReply { ballot, yes, seen } => self.on_pre_reply(io, from, ballot, yes, seen),
            Message::Request { ballot, tag, list } => self.on_request(io, from, ballot, tag, &list),
            Message::Vote { ballot, vote, seen } => self.on_vote(io, from, ballot, vote, seen),
            Message::Lead { number, roll, proof } => self.on_lead(io, from, number, roll, proof),
            Message::Beat { number, ballot, tag } => self.on_beat(io, from, number, ballot, tag),
            Message::Ack { number, seen, tag } => self.on_ack(io, from, number, seen, tag),
            Message::Resign { ballot } => self.on_resign(io, from, ballot),
            Message::NoVote { tag, seen } => self.on_no_vote(io, from, tag, seen),
        }
    }

    /// When it wants to be woken.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.role {
            Role::Follower => self.timer,
            Role::Asking { resend, .. } | Role::Candidate { resend, .. } => {
                earliest(self.timer, Some(*resend))
            }
            Role::Leader(leading) => leading.next_deadline(self),
        }
    }

    /// The deadline passed. Early or spurious calls are harmless.
    pub fn on_deadline(&mut self, io: &mut Io<'_>) {
        if matches!(self.role, Role::Leader(_)) {
            self.lead_on(io);
        } else if self.timer.is_some_and(|at| at <= io.now) {
            self.leader = None;
            self.seek(io);
        } else {
            self.resend(io);
        }
    }

    /// Who leads, as far as known here: whose certificate was seen and who was heard within the timeout.
    #[must_use]
    pub fn leader(&self) -> Option<PeerId> {
        self.leader
    }

    /// True while this node leads.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// True while this node asks for votes, or whether to.
    #[must_use]
    pub fn is_candidate(&self) -> bool {
        matches!(self.role, Role::Asking { .. } | Role::Candidate { .. })
    }

    /// The ballot that this node stands with, while it does.
    #[must_use]
    pub fn stands_with(&self) -> Option<Ballot> {
        matches!(self.role, Role::Candidate { .. }).then_some(self.kept.ballot)
    }

    /// The highest ballot granted or accepted.
    #[must_use]
    pub fn ballot(&self) -> Ballot {
        self.kept.ballot
    }

    /// The last list adopted.
    #[must_use]
    pub fn roll(&self) -> &Roll {
        &self.kept.roll
    }

    /// The certificate of the leader, while there is one.
    #[must_use]
    pub fn proof(&self) -> Option<&Certificate> {
        self.proof.as_ref().filter(|_| self.leader.is_some())
    }

    /// True when this node has a vote.
    #[must_use]
    pub fn is_elector(&self) -> bool {
        self.kept.roll.has(&self.me)
    }

    /// The members whose majority elects the next leader: of its own list, a leader counts what a majority holds.
    #[must_use]
    pub fn agreed(&self) -> Vec<PeerId> {
        let Role::Leader(leading) = &self.role else { return self.electors() };
        leading.settled.iter().copied().filter(|m| self.counts(m)).collect()
    }

    /// True when `who` has a vote that outlives this leader: on a list that a majority holds, and holding one itself.
    #[must_use]
    pub fn has_vote(&self, who: &PeerId) -> bool {
        let Role::Leader(leading) = &self.role else { return false };
        leading.settled.binary_search(who).is_ok() && self.counts(who) && leading.holds_one(who)
    }

    /// True when the list takes nobody more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.kept.roll.members.len() >= ELECTORS_MAX
    }

    /// When a heartbeat was sent that `who` answered, or this node began to lead; `None` unless it leads.
    #[must_use]
    pub fn heard(&self, who: &PeerId) -> Option<Instant> {
        let Role::Leader(leading) = &self.role else { return None };
        Some(leading.reached(who))
    }

    /// True when this node can be asked for its vote. It need not be on the list that it holds, for it may have been put
    /// on a later one; but it must hold one. Whoever gave its vote up, or has lost what it stored, holds none.
    fn may_vote(&self) -> bool {
        !self.kept.roll.members.is_empty()
    }

    /// False for members of a list that will not vote under it.
    fn counts(&self, who: &PeerId) -> bool {
        *who == self.me || !(self.left.contains(who) || self.voteless.contains(who))
    }

    /// The members that count: the list without those that left or gave their vote up.
    fn electors(&self) -> Vec<PeerId> {
        self.kept.roll.members.iter().copied().filter(|m| self.counts(m)).collect()
    }

    fn keep(&self, io: &mut Io<'_>) {
        let bytes = match self.settings.planted {
            Some(Planted::Unstored) => {
                Kept { ballot: Ballot::default(), roll: self.kept.roll.clone() }.encode()
            }
            _ => self.kept.encode(),
        };
        io.out.push(Effect::Persist(bytes));
    }

    /// Waits anew for a leader.
    fn rest(&mut self, io: &mut Io<'_>) {
        let (least, most) = self.settings.timeout;
        let wait = least + most.saturating_sub(least).mul_f64(io.rng.unit());
        self.timer = self.is_elector().then(|| io.now + wait);
    }

    fn note_term(&mut self, seen: Ballot) {
        self.term = self.term.max(seen.term);
    }

    /// The ballot of the next candidacy.
    fn next_ballot(&self, rng: &mut NodeRng) -> Ballot {
        let term = self.term.max(self.kept.ballot.term).saturating_add(1);
        let rank = match self.settings.rule {
            Rule::Plain => [0; 4],
            Rule::Ballot => {
                let (a, b) = (rng.next_u64(), rng.next_u64());
                [(a >> 32) as u32, a as u32, (b >> 32) as u32, b as u32]
            }
        };
        Ballot { term, rank, peer: self.me }
    }

    /// True when `ballot` is lower than what was granted or accepted here.
    fn is_stale(&self, ballot: &Ballot) -> bool {
        match self.settings.rule {
            Rule::Ballot => *ballot < self.kept.ballot,
            Rule::Plain => ballot.term < self.kept.ballot.term,
        }
    }

    /// The shortest silence after which a leader is missed.
    fn patience(&self) -> Duration {
        self.settings.timeout.0
    }
}
