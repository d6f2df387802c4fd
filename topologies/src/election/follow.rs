//! Following: whose word counts, and the list that comes with it.

use tertulia_core::ballot::{Ballot, Certificate};
use tertulia_core::id::PeerId;

use super::{Effect, Election, Io, Message, Planted, Role, Roll, Tag};

impl Election {
    /// Somebody says that it leads, with proof.
    pub(super) fn on_lead(
        &mut self,
        io: &mut Io<'_>,
        from: PeerId,
        number: u64,
        roll: Roll,
        proof: Certificate,
    ) {
        let ballot = proof.ballot;
        if ballot.peer != from || roll.tag.ballot != ballot || from == self.me {
            return;
        }
        if self.disobeys(&ballot) {
            self.answer(io, from, number, self.kept.roll.tag);
            return;
        }
        let known = self.leader == Some(from) && self.proof.as_ref().is_some_and(|p| p.ballot == ballot);
        if !known && !proof.verify(io.auth) {
            return;
        }
        let higher = ballot != self.kept.ballot;
        // Whoever holds no list begins with one that it is not on: others may count without it on those that name it.
        let denied = !self.may_vote() && roll.has(&self.me);
        let tag = roll.tag;
        let newer = !denied && (tag > self.kept.roll.tag || (tag == self.kept.roll.tag && !self.may_vote()));
        self.kept.ballot = ballot;
        self.note_term(ballot);
        if newer {
            self.kept.roll = roll;
            self.voteless.clear();
        }
        if higher || newer {
            self.keep(io);
        }
        if !known {
            self.proof = Some(proof);
        }
        self.obey(io, from);
        if denied {
            self.deny(io, from, tag);
        } else {
            self.answer(io, from, number, self.kept.roll.tag);
        }
    }

    /// The leader is still there.
    pub(super) fn on_beat(&mut self, io: &mut Io<'_>, from: PeerId, number: u64, ballot: Ballot, tag: Tag) {
        if ballot.peer != from || from == self.me {
            return;
        }
        let known = self.proof.as_ref().is_some_and(|p| p.ballot == ballot);
        if self.disobeys(&ballot) {
            self.answer(io, from, number, self.kept.roll.tag);
        } else if ballot != self.kept.ballot || !known || tag != self.kept.roll.tag {
            // Not known by its proof, or with another list: asked for.
            self.answer(io, from, number, Tag::default());
        } else {
            self.obey(io, from);
            self.answer(io, from, number, self.kept.roll.tag);
        }
    }

    fn disobeys(&self, ballot: &Ballot) -> bool {
        self.is_stale(ballot) && self.settings.planted != Some(Planted::StaleLeader)
    }

    fn obey(&mut self, io: &mut Io<'_>, leader: PeerId) {
        self.role = Role::Follower;
        self.leader = Some(leader);
        self.contact = Some(io.now);
        self.rest(io);
        if self.timer.is_none() {
            // No vote, but the leader is missed all the same.
            self.timer = Some(io.now + self.settings.timeout.1);
        }
    }

    fn answer(&self, io: &mut Io<'_>, to: PeerId, number: u64, tag: Tag) {
        io.out.push(Effect::Send(to, Message::Ack { number, seen: self.kept.ballot, tag }));
    }

    /// The leader goes and asks this node to stand at once: nobody has to miss it first.
    pub(super) fn on_resign(&mut self, io: &mut Io<'_>, from: PeerId, ballot: Ballot) {
        if self.leader == Some(from) && self.kept.ballot == ballot && self.is_elector() {
            self.left.insert(from);
            let next = self.next_ballot(io.rng);
            self.stand(io, next);
        }
    }
}
