//! Members come and go, two want one nick, groups meet.

use std::time::Duration;

use tertulia_core::rng::NodeRng;

use super::super::{Config, Planted, build};
use super::{KINDS, SETTLE, active, pick, settled};
use crate::net::Net;

#[test]
fn everybody_has_the_neighbours_it_should_have() {
    for config in KINDS {
        for n in [1, 2, 3, 5, 9, 24] {
            assert_eq!(settled(n, config).mesh_fault(config), None, "{config:?}, {n} members");
        }
    }
}

#[test]
fn one_of_two_with_one_nick_is_refused() {
    let mut net = settled(3, pick(3));
    let (a, b) = (net.add(200, build(&pick(3))), net.add(201, build(&pick(3))));
    net.nodes[b].nick = net.nodes[a].nick.clone();
    net.join(a, 1);
    net.join(b, 1);
    net.run(SETTLE);
    assert!(net.is_member(a) && !net.is_member(b));
    assert_eq!(net.nodes[b].refused, Some("nick-taken"));
}

#[test]
fn who_goes_is_replaced_at_once() {
    for config in KINDS {
        let mut net = settled(12, config);
        for (n, who) in [3, 0, 7, 5].into_iter().enumerate() {
            if n % 2 == 0 {
                net.leave(who);
            } else {
                net.crash(who);
            }
            net.run(Duration::from_secs(1));
            assert_eq!(net.mesh_fault(config), None, "{config:?} without {who}");
        }
    }
}

#[test]
fn whom_one_cannot_reach_one_does_not_pick() {
    let config = pick(3);
    let mut net = settled(8, config);
    let to = net.neighbours(0)[0];
    net.blocked = Some(crate::net::pair(0, to));
    net.unlink(0, to);
    net.run(Duration::from_secs(4));
    assert!(!net.neighbours(0).contains(&to));
    assert_eq!(net.mesh_fault(config), None);
}

#[test]
fn groups_that_meet_become_one() {
    for config in KINDS {
        let mut net = settled(6, config);
        let other: Vec<usize> = (0..6).map(|i| net.add(100 + i * 9, build(&config))).collect();
        net.found(other[0]);
        for &who in &other[1..] {
            net.join(who, other[0]);
            net.run(Duration::from_secs(1));
        }
        net.link(0, other[2]);
        net.merge(0, other[0]);
        net.run(SETTLE);
        assert_eq!(net.all().len(), 12);
        assert_eq!(net.mesh_fault(config), None, "{config:?}");
    }
}

/// Some 20 random events under loss, delay and a late roster; the network after it came to rest.
fn churned(seed: u64, config: Config) -> (Net, usize) {
    let mut rng = NodeRng::fork(seed, 7);
    let mut net = settled(5, config);
    (net.loss, net.late, net.lag) = (0.05, Duration::from_millis(20), Duration::from_millis(300));
    let (mut happened, mut dead) = (0, Vec::new());
    for step in 0..20u8 {
        let members = net.all();
        let Some(&one) = rng.pick(&members) else { break };
        match rng.below(6) {
            0..=2 if members.len() < 12 => {
                let who = net.add(step * 11 + 20 + u8::from(seed.is_multiple_of(2)), build(&config));
                net.join(who, one);
            }
            3 if members.len() > 2 => net.leave(one),
            4 if members.len() > 2 => {
                net.crash(one);
                dead.push(one);
            }
            5 if !dead.is_empty() => {
                let back = dead.swap_remove(rng.below(dead.len()));
                net.restart(back, one, build(&config));
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
fn whatever_comes_and_goes_one_mesh_remains() {
    let mut happened = 0;
    for seed in 0..100 {
        let config = KINDS[(seed % 5) as usize];
        let (net, events) = churned(seed, config);
        happened += events;
        assert_eq!(net.mesh_fault(config), None, "seed {seed}, {config:?}");
    }
    assert!(happened > 600, "{happened}");
}

#[test]
fn churn_finds_what_is_planted() {
    for (planted, config) in [(Planted::OneSided, active(3)), (Planted::Unreplaced, pick(3))] {
        let planted = Config { planted: Some(planted), ..config };
        let seen = (0..20).find(|&seed| churned(seed, planted).0.mesh_fault(config).is_some());
        assert!(seen.is_some_and(|seed| seed < 10), "{planted:?} found with seed {seen:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(churned(5, pick(3)).0.trace, churned(5, pick(3)).0.trace);
}
