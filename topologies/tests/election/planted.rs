//! Faults put in on purpose are caught.

use tertulia_topologies::election::{Planted, Rule, Settings};

use super::episode::run;

fn caught(rule: Rule, planted: Planted) {
    let settings = Settings { rule, planted: Some(planted), ..Settings::default() };
    let found = (0..200).map(|seed| (seed + 1, run(settings, seed))).find(|(_, r)| !r.broken.is_empty());
    let (seeds, report) = found.unwrap_or_else(|| panic!("{planted:?} is not caught"));
    println!("{planted:?} under {rule:?}: caught with {seeds} seeds: {:?}", &report.broken[..1]);
}

#[test]
fn a_vote_granted_twice() {
    caught(Rule::Ballot, Planted::VoteTwice);
    caught(Rule::Plain, Planted::VoteTwice);
}

#[test]
fn a_ballot_not_stored() {
    caught(Rule::Ballot, Planted::Unstored);
}

#[test]
fn a_stale_leader_obeyed() {
    caught(Rule::Ballot, Planted::StaleLeader);
}

#[test]
fn a_pre_vote_by_rank() {
    caught(Rule::Ballot, Planted::PreVoteByRank);
}
