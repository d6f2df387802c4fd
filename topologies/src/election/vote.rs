//! Standing, and voting.
//!
//! Whoever misses the leader first asks whether it would be voted for. Only when a majority has no leader either does
//! it stand, under a higher term. So a member that was away raises no term when it comes back.

use std::collections::{BTreeMap, BTreeSet};

use tertulia_core::auth::Signature;
use tertulia_core::ballot::{Ballot, Certificate, list_digest, majority, vote_digest};
use tertulia_core::id::{Digest, PeerId};

use super::{Effect, Election, Io, Message, Planted, Role, Rule, Tag};

/// Terms that one message may raise this node's by; a forged jump cannot use them up.
const LEAP: u64 = 1 << 32;

impl Election {
    /// Looks for a leader: asks whether to stand.
    pub(super) fn seek(&mut self, io: &mut Io<'_>) {
        self.rest(io);
        if !self.is_elector() {
            self.role = Role::Follower;
            return;
        }
        let ballot = self.next_ballot(io.rng);
        if !self.settings.pre_vote {
            self.stand(io, ballot);
            return;
        }
        let yes = BTreeSet::from([self.me]);
        let resend = io.now + self.settings.heartbeat;
        self.role = Role::Asking { ballot, yes, list: self.electors(), resend };
        if !self.stand_if_asked_to(io) {
            self.ask(io, None);
        }
    }

    /// Stands with this ballot, granting it to itself first.
    pub(super) fn stand(&mut self, io: &mut Io<'_>, ballot: Ballot) {
        self.kept.ballot = ballot;
        (self.leader, self.proof, self.contact) = (None, None, None);
        self.keep(io);
        self.rest(io);
        let list = self.electors();
        let digest = vote_digest(io.auth, &ballot, &list_digest(io.auth, &list));
        let votes = BTreeMap::from([(self.me, io.auth.sign(&digest))]);
        self.role = Role::Candidate { votes, list, resend: io.now + self.settings.heartbeat };
        if !self.win_if_chosen(io) {
            self.ask(io, None);
        }
    }

    /// Asks everybody who has not answered, or only one of them.
    pub(super) fn ask(&self, io: &mut Io<'_>, only: Option<PeerId>) {
        let (me, tag) = (self.me, self.kept.roll.tag);
        let meant = |p: &&PeerId| **p != me && only.is_none_or(|only| **p == only);
        match &self.role {
            Role::Asking { ballot, yes, list, .. } => {
                for &to in list.iter().filter(meant).filter(|p| !yes.contains(p)) {
                    io.out.push(Effect::Send(to, Message::Pre { ballot: *ballot, tag }));
                }
            }
            Role::Candidate { votes, list, .. } => {
                let (ballot, digest) = (self.kept.ballot, list_digest(io.auth, list));
                for &to in list.iter().filter(meant).filter(|p| !votes.contains_key(p)) {
                    io.out.push(Effect::Send(to, Message::Request { ballot, tag, list: digest }));
                }
            }
            _ => {}
        }
    }

    /// Asks again what was not answered.
    pub(super) fn resend(&mut self, io: &mut Io<'_>) {
        let next = io.now + self.settings.heartbeat;
        match &mut self.role {
            Role::Asking { resend, .. } | Role::Candidate { resend, .. } if *resend <= io.now => {
                *resend = next;
            }
            _ => return,
        }
        self.ask(io, None);
    }

    /// Somebody asks whether to stand: yes, unless there is a leader, or it is behind in terms or lists.
    pub(super) fn on_pre(&mut self, io: &mut Io<'_>, from: PeerId, ballot: Ballot, tag: Tag) {
        if !self.may_vote() {
            return self.deny(io, from, tag);
        }
        let contact = self.contact.is_some_and(|at| io.now.since(at) < self.patience());
        let leads = self.is_leader() || (self.leader.is_some() && contact);
        let current = ballot.term >= self.kept.ballot.term && tag >= self.kept.roll.tag;
        let mut yes = !leads && current && ballot.peer == from;
        if self.settings.planted == Some(Planted::PreVoteByRank) && yes {
            yes = ballot >= self.pre_voted;
            self.pre_voted = self.pre_voted.max(ballot);
        }
        let reply = Message::PreReply { ballot, yes, seen: self.kept.ballot };
        io.out.push(Effect::Send(from, reply));
    }

    pub(super) fn on_pre_reply(
        &mut self,
        io: &mut Io<'_>,
        from: PeerId,
        of: Ballot,
        yes: bool,
        seen: Ballot,
    ) {
        self.hear_of_term(seen);
        let Role::Asking { ballot, yes: all, list, .. } = &mut self.role else { return };
        if *ballot != of || !list.contains(&from) {
            return;
        }
        if yes {
            all.insert(from);
            self.stand_if_asked_to(io);
        } else if seen.term > of.term {
            // Behind: asked again at once with a term that can win, and only once for each rise.
            self.seek(io);
        }
    }

    /// Stands when a majority would have it. True when it did.
    fn stand_if_asked_to(&mut self, io: &mut Io<'_>) -> bool {
        let Role::Asking { ballot, yes, list, .. } = &self.role else { return false };
        let (ballot, chosen) = (*ballot, yes.len() >= majority(list.len()));
        if chosen {
            self.stand(io, ballot);
        }
        chosen
    }

    /// A candidate asks for a vote.
    pub(super) fn on_request(
        &mut self,
        io: &mut Io<'_>,
        from: PeerId,
        ballot: Ballot,
        tag: Tag,
        list: &Digest,
    ) {
        if ballot.peer != from {
            return;
        }
        if !self.may_vote() {
            return self.deny(io, from, tag);
        }
        let vote = self.would_grant(&ballot, tag).then(|| self.grant(io, ballot, list));
        io.out.push(Effect::Send(from, Message::Vote { ballot, vote, seen: self.kept.ballot }));
    }

    fn would_grant(&self, ballot: &Ballot, tag: Tag) -> bool {
        let kept = &self.kept.ballot;
        let high_enough = match self.settings.rule {
            Rule::Ballot => ballot >= kept,
            Rule::Plain => ballot.term > kept.term || ballot == kept,
        };
        let twice = self.settings.planted == Some(Planted::VoteTwice) && ballot.term >= kept.term;
        (high_enough || twice) && tag >= self.kept.roll.tag && self.is_near(ballot)
    }

    /// Grants a ballot: stored first, then signed.
    fn grant(&mut self, io: &mut Io<'_>, ballot: Ballot, list: &Digest) -> Signature {
        if ballot != self.kept.ballot {
            self.kept.ballot = ballot;
            self.note_term(ballot);
            (self.leader, self.proof, self.contact) = (None, None, None);
            self.role = Role::Follower;
            self.keep(io);
            self.rest(io);
        }
        io.auth.sign(&vote_digest(io.auth, &ballot, list))
    }

    pub(super) fn on_vote(
        &mut self,
        io: &mut Io<'_>,
        from: PeerId,
        of: Ballot,
        vote: Option<Signature>,
        seen: Ballot,
    ) {
        self.hear_of_term(seen);
        let Role::Candidate { votes, list, .. } = &mut self.role else { return };
        if of != self.kept.ballot || list.binary_search(&from).is_err() || votes.contains_key(&from) {
            return;
        }
        let Some(vote) = vote else { return };
        let digest = vote_digest(io.auth, &of, &list_digest(io.auth, list));
        if io.auth.verify(&from, &digest, &vote) {
            votes.insert(from, vote);
            self.win_if_chosen(io);
        }
    }

    /// Somebody counts on this node, which holds no list: it never votes under that one, nor under any before it.
    pub(super) fn deny(&mut self, io: &mut Io<'_>, from: PeerId, tag: Tag) {
        if !self.is_near(&tag.ballot) {
            return;
        }
        if tag > self.kept.roll.tag {
            self.kept.roll.tag = tag;
            self.keep(io);
        }
        io.out.push(Effect::Send(from, Message::NoVote { tag, seen: self.kept.ballot }));
    }

    /// A member of this list will not vote under it any more: the majority is one of the others, in a term that it has not
    /// voted in.
    pub(super) fn on_no_vote(&mut self, io: &mut Io<'_>, from: PeerId, tag: Tag, seen: Ballot) {
        let sane = self.hear_of_term(seen);
        let named = tag == self.kept.roll.tag && self.kept.roll.has(&from);
        if !sane || !named || !self.voteless.insert(from) {
            return;
        }
        match &mut self.role {
            Role::Asking { ballot, .. } if ballot.term <= seen.term => self.seek(io),
            Role::Asking { list, .. } => {
                list.retain(|m| *m != from);
                self.stand_if_asked_to(io);
            }
            Role::Leader(_) => self.change_list(io),
            // The votes are for a list with it: the next candidacy is for one without.
            Role::Follower | Role::Candidate { .. } => {}
        }
    }

    /// Leads when a majority has voted for it. True when it did.
    fn win_if_chosen(&mut self, io: &mut Io<'_>) -> bool {
        let Role::Candidate { votes, list, .. } = &self.role else { return false };
        // Whoever left after it had voted counts no more: others may elect without it already.
        let votes: BTreeMap<PeerId, Signature> =
            votes.iter().filter(|(who, _)| self.counts(who)).map(|(who, vote)| (*who, *vote)).collect();
        if votes.len() < majority(list.len()) {
            return false;
        }
        let list = list.clone();
        let proof = Certificate::new(self.kept.ballot, list, &votes);
        self.begin_to_lead(io, proof);
        true
    }

    /// Others have seen a higher term: the next candidacy goes above it. False for one beyond belief.
    pub(super) fn hear_of_term(&mut self, seen: Ballot) -> bool {
        let sane = self.is_near(&seen);
        if sane {
            self.note_term(seen);
        }
        sane
    }

    fn is_near(&self, ballot: &Ballot) -> bool {
        ballot.term <= self.term.saturating_add(LEAP)
    }
}
