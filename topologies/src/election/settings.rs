//! How an election runs.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Who gets a vote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The highest ballot: term, then rank, then id. A voter may raise its vote within a term, never lower it.
    #[default]
    Ballot,
    /// Whoever asks first: one vote in a term, no rank (Raft, Ongaro and Ousterhout 2014).
    Plain,
}

/// The settings of an elector.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Who gets a vote.
    pub rule: Rule,
    /// The pause between two heartbeats, and before an unanswered request is sent again.
    pub heartbeat: Duration,
    /// The silence after which a leader is missed is drawn between these. A leader that reached no majority for the
    /// first of them steps down.
    pub timeout: (Duration, Duration),
    /// Whether a member asks if it would be voted for before it stands. Off only for runs after papers.
    pub pre_vote: bool,
    /// A fault put in on purpose, to prove that a suite finds it.
    pub planted: Option<Planted>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            rule: Rule::Ballot,
            heartbeat: Duration::from_millis(250),
            timeout: (Duration::from_millis(1000), Duration::from_millis(2000)),
            pre_vote: true,
            planted: None,
        }
    }
}

/// A fault put in on purpose. No profile can plant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A voter grants whatever is asked in a term, lower ballots after higher ones too; under [`Rule::Plain`] a second
    /// candidate after a first.
    VoteTwice,
    /// The ballot is not stored: after a restart, what was granted is forgotten.
    Unstored,
    /// A leader is obeyed although a higher ballot was accepted.
    StaleLeader,
    /// A pre-vote is given by rank, like a vote: whoever asked with the highest rank keeps it, dead or alive.
    PreVoteByRank,
}
