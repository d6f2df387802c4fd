//! Random comings and goings under loss, and rings that meet.

use std::time::Duration;

use tertulia_core::rng::NodeRng;

use super::super::Planted;
use super::{SETTLE, ring_of, settled};
use crate::net::Net;

/// Some 20 random events under loss, delay and a late roster; returns the network after it came to rest, and how
/// much happened.
fn churned(seed: u64, r: u8, planted: Option<Planted>) -> (Net, usize) {
    let mut rng = NodeRng::fork(seed, 7);
    let mut net = settled(4, r, planted);
    (net.loss, net.late, net.lag) = (0.05, Duration::from_millis(20), Duration::from_millis(300));
    let (mut happened, mut dead) = (0, Vec::new());
    for step in 0..20u8 {
        let members = net.members();
        let Some(&one) = rng.pick(&members) else { break };
        match rng.below(6) {
            0..=2 if members.len() < 10 => {
                let who = net.add(step * 11 + 20 + u8::from(seed.is_multiple_of(2)), ring_of(r, planted));
                net.join(who, one);
            }
            3 if members.len() > 2 => net.leave(one),
            4 if members.len() > 2 => {
                net.crash(one);
                dead.push(one);
            }
            5 if !dead.is_empty() => {
                let back = dead.swap_remove(rng.below(dead.len()));
                net.restart(back, one, ring_of(r, planted));
            }
            _ => continue,
        }
        happened += 1;
        let pause = Duration::from_millis(rng.below(400) as u64);
        net.run(pause);
    }
    net.loss = 0.0;
    net.run(SETTLE * 2);
    (net, happened)
}

#[test]
fn whatever_comes_and_goes_one_ring_remains() {
    let mut happened = 0;
    for seed in 0..80 {
        let r = 1 + (seed % 4) as u8;
        let (net, events) = churned(seed, r, None);
        happened += events;
        assert_eq!(net.fault(usize::from(r)), None, "seed {seed}, r {r}");
        assert_eq!(net.double_nick(), None, "seed {seed}, r {r}");
    }
    assert!(happened > 900, "{happened}");
}

#[test]
fn churn_finds_what_is_planted() {
    for planted in [Planted::DocumentedQuit, Planted::Chord2001Join] {
        let seen = (0..20).find(|&seed| churned(seed, 2, Some(planted)).0.fault(2).is_some());
        assert!(seen.is_some_and(|seed| seed < 5), "{planted:?} found with seed {seen:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(churned(5, 2, None).0.trace, churned(5, 2, None).0.trace);
}

#[test]
fn rings_that_meet_become_one() {
    for r in 1..=3 {
        let mut net = settled(4, r, None);
        let mut other = Vec::new();
        for place in [30, 90, 150, 190] {
            let who = net.add(place, ring_of(r, None));
            match other.first() {
                None => net.found(who),
                Some(&first) => net.join(who, first),
            }
            other.push(who);
            net.run(Duration::from_secs(3));
        }
        assert_eq!(net.view(0).nodes.len(), 4);
        // One remembered member is dialled; the rosters merge.
        net.link(0, other[2]);
        net.merge(0, other[0]);
        net.run(SETTLE);
        assert_eq!(net.members().len(), 8);
        assert_eq!(net.fault(usize::from(r)), None, "r {r}");
    }
}
