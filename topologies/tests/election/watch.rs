//! What must hold at every moment, judged by what members say and not by what they believe.

use std::collections::BTreeMap;
use std::time::Duration;

use tertulia_core::ballot::Ballot;
use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;
use tertulia_topologies::election::{Message, Rule, Settings};

pub(crate) struct Watch {
    settings: Settings,
    /// The highest ballot that a member said it granted or obeys, over its restarts.
    said: BTreeMap<PeerId, Ballot>,
    /// Ballots of leaders that each member obeyed last.
    winners: BTreeMap<u64, Ballot>,
    /// Who leads now, with what and since when.
    leads: BTreeMap<usize, (Ballot, Instant)>,
    /// Since when there are two leaders.
    two_since: Option<Instant>,
    pub(crate) longest_two: Duration,
    pub(crate) elections: u64,
    pub(crate) broken: Vec<String>,
}

impl Watch {
    pub(crate) fn new(settings: Settings) -> Self {
        Watch {
            settings,
            said: BTreeMap::new(),
            winners: BTreeMap::new(),
            leads: BTreeMap::new(),
            two_since: None,
            longest_two: Duration::ZERO,
            elections: 0,
            broken: Vec::new(),
        }
    }

    pub(crate) fn broke(&mut self, what: String) {
        if self.broken.len() < 8 {
            self.broken.push(what);
        }
    }

    /// A member sends something: a vote or an answer binds it.
    pub(crate) fn sent(&mut self, now: Instant, from: PeerId, to: PeerId, message: &Message) {
        let ballot = match message {
            Message::Vote { ballot, vote: Some(_), .. } => *ballot,
            // An answer that holds the leader's own ballot obeys it.
            Message::Ack { seen, .. } if seen.peer == to => *seen,
            _ => return,
        };
        let said = self.said.entry(from).or_default();
        let lower = match self.settings.rule {
            Rule::Ballot => ballot < *said,
            Rule::Plain => ballot.term < said.term,
        };
        let twice = self.settings.rule == Rule::Plain
            && matches!(message, Message::Vote { .. })
            && ballot.term == said.term
            && ballot != *said;
        if lower || twice {
            let what = format!("{now}: {from:?} says {ballot:?} after {said:?}");
            self.broke(what);
        }
        if let Some(said) = self.said.get_mut(&from) {
            *said = ballot.max(*said);
        }
    }

    /// How a member stands now: whether it leads, and with what.
    pub(crate) fn stands(&mut self, now: Instant, who: usize, leads: Option<Ballot>) {
        if self.leads.get(&who).map(|l| l.0) == leads {
            return;
        }
        match leads {
            Some(ballot) => {
                self.elections += 1;
                if let Some(other) = self.winners.insert(ballot.term, ballot)
                    && self.settings.rule == Rule::Plain
                    && other.peer != ballot.peer
                {
                    self.broke(format!("{now}: {other:?} and {ballot:?} lead in one term"));
                }
                self.leads.insert(who, (ballot, now));
            }
            None => drop(self.leads.remove(&who)),
        }
        match (self.leads.len() > 1, self.two_since) {
            (true, None) => self.two_since = Some(now),
            (false, Some(since)) => {
                let two = now.since(since);
                self.longest_two = self.longest_two.max(two);
                if two > self.settings.timeout.0 {
                    self.broke(format!("{now}: two leaders for {two:?}"));
                }
                self.two_since = None;
            }
            _ => {}
        }
    }
}
