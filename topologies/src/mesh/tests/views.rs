//! Active views: the same from both ends, nearly full, and refilled from what is remembered.

use std::time::Duration;

use tertulia_core::peers::State;
use tertulia_core::topology::{Input, View};

use super::super::build;
use super::super::messages::{Msg, Need};
use super::{SETTLE, active, settled};
use crate::net::Net;

/// Neighbours in all views, and in the fullest.
fn full(views: &[View]) -> (usize, usize) {
    let each = || views.iter().map(|view| view.neighbours.len());
    (each().sum(), each().max().unwrap())
}

#[test]
fn nearly_all_views_are_full() {
    for degree in [3, 5] {
        let net = settled(60, active(degree));
        assert_eq!(net.mesh_fault(active(degree)), None);
        let views: Vec<View> = (0..60).map(|who| net.seen(who)).collect();
        let (all, most) = full(&views);
        println!("degree {degree}: {all} neighbours in 60 views");
        assert_eq!(most, usize::from(degree));
        assert!(all * 10 > 60 * most * 9, "{all} neighbours in views of {most}");
    }
}

#[test]
fn many_that_die_at_once_are_replaced() {
    let config = active(4);
    let mut net = settled(40, config);
    (0..40).filter(|who| who % 5 < 2).for_each(|who| net.crash(who));
    net.run(SETTLE);
    assert_eq!(net.all().len(), 24);
    assert_eq!(net.mesh_fault(config), None);
}

#[test]
fn views_that_differ_agree_again() {
    let config = active(4);
    let mut net = settled(20, config);
    net.loss = 0.4;
    net.crash(3);
    net.leave(7);
    net.run(Duration::from_secs(30));
    net.loss = 0.0;
    net.run(SETTLE);
    assert_eq!(net.mesh_fault(config), None);
}

#[test]
fn whoever_is_alone_is_taken_in_though_all_are_full() {
    let config = active(3);
    let mut net = settled(16, config);
    for to in net.neighbours(5) {
        net.unlink(5, to);
    }
    net.run(SETTLE);
    assert_eq!(net.mesh_fault(config), None);
}

/// Each is waited for by itself: the second is not forgotten when the first is given up.
#[test]
fn links_that_break_one_after_another_are_all_given_up() {
    let config = active(5);
    let mut net = settled(12, config);
    let lost: Vec<usize> = net.neighbours(4).into_iter().take(3).collect();
    for &who in &lost {
        net.nodes[who].up = false;
        net.unlink(4, who);
        net.run(Duration::from_millis(100));
    }
    net.run(Duration::from_secs(1));
    let near = net.neighbours(4);
    assert!(lost.iter().all(|who| !near.contains(who)), "{near:?} has some of {lost:?}");
}

#[test]
fn what_comes_late_from_a_leaver_makes_no_neighbour() {
    let config = active(3);
    let mut net = settled(3, config);
    net.set_state(1, State::Left);
    assert!(!net.neighbours(0).contains(&1));
    let from = net.handle(0, 1);
    let keep = Msg::Keep { lowest: net.nodes[1].id, count: 9 };
    for msg in [keep, Msg::Neighbour { nonce: 1, need: Need::High }] {
        net.input(0, Input::Frame { from, body: &msg.encode() });
        assert!(!net.neighbours(0).contains(&1), "{msg:?}");
    }
}

/// Eight that come at once fill each other's views; the last ones are refused by all and still get more than one.
#[test]
fn a_small_group_stays_in_one_piece_whichever_two_die() {
    let config = active(3);
    for seed in 0..1000 {
        let mut net = Net::new(seed);
        for i in 0..8u8 {
            net.add(i.wrapping_mul(67).wrapping_add(3), build(config).unwrap());
        }
        net.found(0);
        (1..8).for_each(|who| net.join(who, 0));
        net.run(Duration::from_secs(3));
        for who in net.all() {
            assert!(net.neighbours(who).len() > 1, "seed {seed}: {who} has {:?}", net.neighbours(who));
        }
        let dead = [seed as usize % 8, (seed as usize * 3 + 5) % 8];
        dead.iter().for_each(|&who| net.crash(who));
        net.run(Duration::from_secs(2));
        assert_eq!(net.mesh_fault(config), None, "seed {seed}");
        assert!(net.all().iter().all(|&who| net.neighbours(who).len() > 1), "seed {seed}");
    }
}

/// How often a settled mesh changes its neighbours in ten minutes.
#[test]
fn a_mesh_at_rest_stays_as_it_is() {
    let config = active(5);
    let mut net = settled(30, config);
    net.run(SETTLE);
    let views = |net: &Net| (0..30).map(|who| net.neighbours(who)).collect::<Vec<_>>();
    let before = views(&net);
    net.run(Duration::from_secs(600));
    let changed = before.iter().zip(views(&net)).filter(|(a, b)| *a != b).count();
    println!("{changed} of 30 have other neighbours");
    assert!(changed <= 10, "{changed}");
    assert_eq!(net.mesh_fault(config), None);
}
