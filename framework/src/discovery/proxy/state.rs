//! What a proxy knows, as a pure state machine: the time is told, and so is whose signatures hold.

use core::time::Duration;

use tertulia_core::auth::Auth;
use tertulia_core::ballot::{Ballot, Certificate, majority, read_ids, write_ids};
use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;
use tertulia_core::wire::{Reader, WireError, Writer};

use super::messages::{Answer, LIST_MAX, ids};
use crate::discovery::service::lease::Lease;
use crate::discovery::service::wire::{Entry, read_entries, write_entries};
use crate::discovery::service::{News, server};

/// Those that have just been asked whether they are there are not asked again before.
const RECHECK: Duration = Duration::from_secs(5);
/// When none of those that are known is there, an heir that nobody has heard of has so long to tell of itself. With the usual
/// options it takes two seconds until the leader is missed and as many for a second try to elect; a leader that found no proxy
/// tells again after four, which takes two.
const HEIR: Duration = Duration::from_secs(10);

/// The objection to a leader whose voters are not those that the proxy knows of.
pub(super) const NO_MAJORITY: &str = "no majority of the members that the leader before had";

const VERSION: u8 = 3;

/// A change of whom newcomers are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// To this leader.
    Leads(Entry),
    /// Not to this leader any more, and why.
    Gone(PeerId, &'static str),
}

impl From<Change> for News {
    fn from(change: Change) -> News {
        match change {
            Change::Leads(Entry { peer, addrs }) => News::Registered { peer, at: addrs },
            Change::Gone(peer, reason) => News::Removed { peer, reason },
        }
    }
}

/// Whom newcomers are sent to.
#[derive(Clone, Debug)]
struct Known {
    /// The election that the last leader won.
    ballot: Ballot,
    /// The electors as that leader told them last, ascending, without those that are seen to be gone: the next one needs
    /// the votes of their majority.
    list: Vec<PeerId>,
    /// Whom to ask, the leader first while it leads.
    asked: Vec<Entry>,
    leads: bool,
    /// Its word counts until then. Whoever answers after that is still named.
    until: Instant,
    expired: bool,
    checking: bool,
    recheck: Instant,
}

/// What a proxy knows.
#[derive(Debug)]
pub(super) struct State {
    expire: Duration,
    known: Option<Known>,
    /// Nobody is known any more, and until then an heir may tell of itself.
    heir: Option<Instant>,
    pub(super) lease: Lease,
    changes: Vec<Change>,
    dirty: bool,
}

impl State {
    /// Nobody yet. The word of a leader that says nothing for `expire` counts no more.
    pub(super) fn new(expire: Duration) -> Self {
        let (lease, changes) = (Lease::default(), Vec::new());
        State { expire, known: None, heir: None, lease, changes, dirty: false }
    }

    /// Tells `who` in which term there was a leader last, and whom to ask to be let in.
    pub(super) fn ask(&self, now: Instant, who: &PeerId) -> Answer {
        let wait = |until: Instant| Answer::Wait(until.since(now).as_secs() + 1);
        match &self.known {
            None => self.heir.map_or(Answer::Ask(0, Vec::new()), wait),
            Some(known)
                if known.asked.iter().all(|m| m.peer == *who) && known.list.iter().any(|m| m != who) =>
            {
                wait(known.until)
            }
            Some(known) => Answer::Ask(known.ballot.term, known.asked.clone()),
        }
    }

    /// `who` says that it leads. So it does when a majority of the list that it names voted for it, and, as long as the
    /// word of the leader before counts, a majority of that one's electors.
    pub(super) fn lead(
        &mut self,
        now: Instant,
        auth: &dyn Auth,
        who: PeerId,
        proof: &Certificate,
        members: Vec<Entry>,
    ) -> Result<(), &'static str> {
        if proof.ballot.peer != who {
            return Err("this certificate is another member's");
        }
        let own = members.iter().find(|m| m.peer == who && !m.addrs.is_empty()).cloned();
        let Some(own) = own else { return Err("no address to reach this leader at") };
        self.judge(auth, proof)?;
        self.lease.release(&who);
        let mut list = ids(&members);
        let mut asked = vec![own.clone()];
        asked.extend(members.into_iter().filter(|m| m.peer != who && !m.addrs.is_empty()).take(LIST_MAX));
        let (until, ballot) = (now + self.expire, proof.ballot);
        let (mut leads_already, mut same) = (false, false);
        if let Some(before) = &self.known {
            if before.ballot == ballot {
                let stay = before.list.iter().filter(|who| list.binary_search(who).is_ok()).count();
                if stay < majority(before.list.len()) {
                    // A leader that has lost so many at once has lost its office, and may not have noticed.
                    list.clone_from(&before.list);
                }
                leads_already = before.leads && before.asked.first() == Some(&own);
            }
            same = leads_already && before.list == list && before.asked == asked;
        }
        self.dirty |= !same;
        self.heir = None;
        let (checking, recheck, expired) = (false, now, false);
        self.known = Some(Known { ballot, list, asked, leads: true, until, expired, checking, recheck });
        if !leads_already {
            self.changes.push(Change::Leads(own));
        }
        Ok(())
    }

    /// Objects to a certificate that does not make its holder the next leader, or still the last one.
    fn judge(&self, auth: &dyn Auth, proof: &Certificate) -> Result<(), &'static str> {
        if let Some(known) = self.known.as_ref().filter(|k| !k.expired) {
            if proof.ballot == known.ballot {
                // Whoever won this was verified then.
                return Ok(());
            }
            if proof.ballot < known.ballot {
                return Err("a later leader is known");
            }
            let voters = proof.votes.iter().filter_map(|(at, _)| proof.members.get(usize::from(*at)));
            let before = voters.filter(|who| known.list.binary_search(who).is_ok()).count();
            if before < majority(known.list.len()) {
                return Err(NO_MAJORITY);
            }
        }
        if proof.verify(auth) { Ok(()) } else { Err("this certificate does not hold") }
    }

    /// A leader leaves: newcomers are sent to the others until there is another one.
    pub(super) fn resign(&mut self, who: &PeerId) {
        self.without(who, "it left");
    }

    /// Somebody was not let in by those that it was sent to, or leads without their votes: they are to be asked whether they
    /// are there. Nobody is forgotten for the doubt alone.
    pub(super) fn doubt(&mut self, now: Instant) -> Vec<Entry> {
        match &mut self.known {
            Some(known) if !known.checking && known.recheck <= now => {
                known.checking = true;
                known.asked.clone()
            }
            _ => Vec::new(),
        }
    }

    /// What came of that: these do not answer. When nobody does, they may have let in others since they were heard of last:
    /// newcomers wait for the heir that these elect.
    pub(super) fn checked(&mut self, now: Instant, silent: &[Entry]) {
        // Whoever has said since that it leads is there.
        let Some(known) = self.known.as_mut().filter(|k| k.checking) else { return };
        (known.checking, known.recheck) = (false, now + RECHECK);
        let until = known.until.min(now + HEIR);
        for entry in silent {
            self.without(&entry.peer, "it does not answer");
        }
        if self.known.is_none() && now < until {
            self.heir = Some(until);
        }
    }

    /// Forgets a leader that has said nothing for too long, and those of its electors that do not answer: they are to be
    /// asked. So a group that has no majority, and nobody who could tell of it, is found by newcomers.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Entry> {
        self.dirty |= self.heir.take_if(|until| *until <= now).is_some();
        let Some(known) = self.known.as_mut().filter(|k| k.until <= now) else { return Vec::new() };
        if !known.expired {
            (known.expired, self.dirty) = (true, true);
            if std::mem::take(&mut known.leads) {
                self.changes.push(Change::Gone(known.ballot.peer, "no updates"));
            }
            known.list = ids(&known.asked);
        }
        if known.list.is_empty() {
            self.known = None;
        }
        self.doubt(now)
    }

    /// Sends nobody to `who` any more, and needs its vote no longer.
    fn without(&mut self, who: &PeerId, why: &'static str) {
        let Some(known) = &mut self.known else { return };
        let before = known.asked.len() + known.list.len();
        known.asked.retain(|m| m.peer != *who);
        known.list.retain(|m| m != who);
        self.dirty |= known.asked.len() + known.list.len() < before;
        if known.leads && known.ballot.peer == *who {
            known.leads = false;
            self.changes.push(Change::Gone(*who, why));
        }
        if known.list.is_empty() {
            self.known = None;
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION);
        self.lease.write(&mut w);
        w.u8(u8::from(self.heir.is_some()));
        if let Some(known) = &self.known {
            known.ballot.write(&mut w);
            write_ids(&mut w, &known.list);
            write_entries(&mut w, &known.asked);
            w.u8(u8::from(known.leads));
        }
        w.finish().to_vec()
    }
}

impl server::State for State {
    type Change = Change;

    /// Takes over what was kept; the leader has the usual time to say that it still leads, and so has an heir.
    fn restore(&mut self, now: Instant, bytes: &[u8]) -> Result<(), WireError> {
        let mut r = Reader::new(bytes);
        if r.u8()? != VERSION {
            return Err(WireError::Range("version"));
        }
        self.lease = Lease::read(&mut r, now)?;
        self.heir = (r.u8()? == 1).then(|| now + self.expire.min(HEIR));
        if r.left().is_empty() {
            return Ok(());
        }
        let (ballot, list) = (Ballot::read(&mut r)?, read_ids(&mut r)?);
        let asked = read_entries(&mut r, LIST_MAX + 1)?;
        let (leads, until) = (r.u8()? == 1, now + self.expire);
        r.end()?;
        let (checking, recheck, expired) = (false, now, false);
        self.known = Some(Known { ballot, list, asked, leads, until, expired, checking, recheck });
        Ok(())
    }

    fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// What is to be kept, when it has changed since this was last asked.
    fn changed(&mut self) -> Option<Vec<u8>> {
        let lease = self.lease.changed();
        (std::mem::take(&mut self.dirty) | lease).then(|| self.encode())
    }
}

#[cfg(test)]
mod tests;
