//! Elections by the thousand, in virtual time: crashes, loss, partitions both ways and one way, lists that change.
//!
//! `TERTULIA_SEEDS` says how many groups are tried; each sees about a hundred elections.

#![allow(clippy::unwrap_used, clippy::panic)]

mod episode;
mod planted;
mod watch;
mod world;

use tertulia_topologies::election::{Rule, Settings};

use episode::{Report, run, scenes};

/// How many groups are tried: `usual`, or what `TERTULIA_SEEDS` says.
#[expect(clippy::disallowed_methods, reason = "how many runs there are is no input of a run")]
fn seeds(usual: u64) -> u64 {
    std::env::var("TERTULIA_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn many(rule: Rule, seeds: u64) -> Report {
    let all = (0..seeds).map(|seed| run(Settings { rule, ..Settings::default() }, seed));
    all.reduce(Report::and).unwrap()
}

#[test]
fn ballots_hold_whatever_happens() {
    let report = many(Rule::Ballot, seeds(110));
    println!("ballot: {report}");
    assert_eq!(report.broken, Vec::<String>::new());
    for scene in scenes() {
        assert!(report.scenes.get(scene).is_some_and(|n| *n > 0), "{scene} was never played");
    }
}

#[test]
fn one_leader_in_a_term_by_the_plain_rule() {
    let report = many(Rule::Plain, seeds(30));
    println!("plain: {report}");
    assert_eq!(report.broken, Vec::<String>::new());
}
