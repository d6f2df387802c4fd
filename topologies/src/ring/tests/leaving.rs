//! Members go: with a word, without one, several at once.

use std::time::Duration;

use tertulia_core::peers::State;

use super::{SETTLE, settled};
use crate::net::HOP;

#[test]
fn a_leaver_mends_both_sides() {
    for who in 0..5 {
        let mut net = settled(5, 1, None);
        net.trace.clear();
        net.leave(who);
        net.run(HOP * 3);
        assert_eq!(net.nodes[who].state, State::Left, "two acknowledgements are enough");
        assert_eq!(net.trace.iter().filter(|t| **t == (who, "QUIT")).count(), 2);
        net.run(Duration::from_secs(1));
        assert_eq!(net.fault(1), None);
    }
}

#[test]
fn the_last_two_part_and_the_last_one_just_goes() {
    let mut net = settled(2, 1, None);
    net.leave(0);
    net.run(HOP * 3);
    assert_eq!(net.nodes[0].state, State::Left);
    net.run(SETTLE);
    assert_eq!(net.fault(1), None);
    net.leave(1);
    assert_eq!(net.nodes[1].state, State::Left);
}

#[test]
fn a_leaver_does_not_wait_for_the_silent() {
    let mut net = settled(4, 1, None);
    net.loss = 1.0;
    net.leave(0);
    net.run(Duration::from_secs(2));
    assert_eq!(net.nodes[0].state, State::Left);
    net.loss = 0.0;
    net.run(SETTLE);
    assert_eq!(net.fault(1), None);
}

#[test]
fn neighbours_that_leave_together_leave_a_ring() {
    for lag in 0..8 {
        let mut net = settled(6, 1, None);
        let ring = net.members();
        net.leave(ring[1]);
        net.run(Duration::from_millis(lag * 2));
        net.leave(ring[2]);
        net.run(SETTLE);
        assert_eq!(net.members().len(), 4);
        assert_eq!(net.fault(1), None, "lag {lag}");
    }
}

#[test]
fn adjacent_deaths_close_while_they_are_only_suspected() {
    for r in 2..=4u8 {
        let mut net = settled(9, r, None);
        let ring = net.members();
        for &who in &ring[3..3 + usize::from(r) - 1] {
            net.crash(who);
        }
        // Not even declared dead: parcels go round, because a link over the gap stands already.
        let (reached, _) = net.parcel(ring[0], None);
        assert_eq!(reached.len(), net.nodes.len() - (usize::from(r) - 1), "r {r}");
        net.run(SETTLE);
        assert_eq!(net.fault(usize::from(r)), None, "r {r}");
    }
}

#[test]
fn more_deaths_than_successors_close_too() {
    for r in 1..=3 {
        let mut net = settled(9, r, None);
        let ring = net.members();
        for &who in &ring[2..7] {
            net.crash(who);
        }
        net.run(SETTLE);
        assert_eq!(net.members().len(), 4);
        assert_eq!(net.fault(usize::from(r)), None);
    }
}

#[test]
fn a_suspect_is_kept_and_the_one_behind_it_wanted_too() {
    let mut net = settled(6, 2, None);
    let ring = net.members();
    net.set_state(ring[1], State::Suspect);
    net.run(Duration::from_millis(100));
    let neighbours = net.view(ring[0]).neighbours;
    let named = net.named(ring[0], &neighbours);
    assert!([ring[1], ring[2], ring[3]].iter().all(|p| named.contains(p)), "{named:?}");
    net.set_state(ring[1], State::Alive);
    net.run(SETTLE);
    assert_eq!(net.fault(2), None);
    assert_eq!(net.links.len(), 12);
}

#[test]
fn a_successor_that_cannot_be_reached_is_not_waited_for() {
    let mut net = settled(6, 1, None);
    let ring = net.members();
    net.blocked = Some(crate::net::pair(ring[0], ring[1]));
    net.unlink(ring[0], ring[1]);
    net.run(SETTLE);
    assert!(net.links.contains(&crate::net::pair(ring[0], ring[2])));
    net.blocked = None;
    net.run(SETTLE);
    assert_eq!(net.fault(1), None);
    assert_eq!(net.links.len(), 6);
}
