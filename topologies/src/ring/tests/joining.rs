//! Joining: alone, at once, with the same nick, again.

use std::sync::Arc;
use std::time::Duration;

use tertulia_core::peers::State;

use super::{SETTLE, ring_of, settled};
use crate::net::{HOP, Net};

#[test]
fn a_founder_alone_is_a_ring() {
    let mut net = Net::new(1);
    let a = net.add(9, ring_of(1, None));
    net.found(a);
    net.run(SETTLE);
    assert_eq!(net.fault(1), None);
    assert_eq!(net.view(a).nodes.len(), 1);
    assert!(net.trace.is_empty(), "nobody to talk to: {:?}", net.trace);
}

#[test]
fn a_member_alone_answers_at_once() {
    let mut net = Net::new(1);
    let (a, b) = (net.add(9, ring_of(1, None)), net.add(5, ring_of(1, None)));
    net.found(a);
    net.join(b, a);
    net.run(HOP * 2);
    assert!(net.is_member(b));
    net.run(SETTLE);
    assert_eq!(net.fault(1), None);
}

#[test]
fn rings_of_many_sizes_form_with_the_documented_messages() {
    for r in 1..=4 {
        for n in [2, 3, 5, 9] {
            let net = settled(n, r, None);
            assert_eq!(net.fault(usize::from(r)), None, "n {n}, r {r}");
            for name in ["JOIN", "CONNECTION_ACCEPTED", "CHANGE_PREC", "ACK"] {
                assert!(net.trace.iter().any(|t| t.1 == name), "{name}");
            }
            assert_eq!(n > 2, net.trace.iter().any(|t| t.1 == "DISCOVERY_QUERY"));
        }
    }
}

#[test]
fn links_beyond_those_needed_are_let_go() {
    let net = settled(9, 2, None);
    assert_eq!(net.links.len(), 18);
}

#[test]
fn a_holder_refuses_its_nick() {
    for contact in 0..4 {
        let mut net = settled(4, 1, None);
        let late = net.add(200, ring_of(1, None));
        net.nodes[late].nick = net.nodes[2].nick.clone();
        net.trace.clear();
        net.join(late, contact);
        net.run(Duration::from_millis(400));
        assert_eq!(net.nodes[late].refused, Some("nick-taken"));
        assert_eq!(contact != 2, net.trace.contains(&(2, "DISCOVERY_ANSWER")));
        // With another nick it gets in.
        net.nodes[late].nick = Arc::from("another");
        net.join(late, contact);
        net.run(SETTLE);
        assert!(net.is_member(late));
        assert_eq!(net.fault(1), None);
    }
}

/// Two newcomers at once through members `a` and `b`, `lag` milliseconds apart.
fn two_at_once(a: usize, b: usize, lag: u64, same: bool) -> Net {
    let mut net = settled(5, 2, None);
    let (x, y) = (net.add(100, ring_of(2, None)), net.add(101, ring_of(2, None)));
    if same {
        net.nodes[x].nick = Arc::from("same");
        net.nodes[y].nick = Arc::from("same");
    }
    net.join(y, b);
    net.run(Duration::from_millis(lag));
    net.join(x, a);
    net.run(SETTLE);
    net
}

#[test]
fn two_newcomers_at_once_end_in_one_ring() {
    for (a, b) in [(0, 0), (0, 1), (3, 1), (2, 4)] {
        for lag in [0, 5, 10, 20, 40] {
            let net = two_at_once(a, b, lag, false);
            assert!(net.is_member(5) && net.is_member(6));
            assert_eq!(net.fault(2), None, "{a} {b} {lag}");
        }
    }
}

#[test]
fn two_newcomers_with_one_nick_do_not_both_get_in() {
    for (a, b) in [(0, 0), (0, 1), (3, 1), (2, 4)] {
        for lag in [0, 3, 5, 8, 10, 13, 15, 18, 20, 25, 30, 40] {
            let net = two_at_once(a, b, lag, true);
            let inside = [net.is_member(5), net.is_member(6)];
            assert_eq!(inside.iter().filter(|&&i| i).count(), 1, "{a} {b} {lag}: {inside:?}");
            let out = if inside[0] { 6 } else { 5 };
            assert_eq!(net.nodes[out].refused, Some("nick-taken"));
            assert_eq!(net.fault(2), None, "{a} {b} {lag}");
        }
    }
}

#[test]
fn one_nick_stays_unique_although_frames_get_lost_and_the_roster_is_late() {
    let mut refused = 0;
    for seed in 0..60u64 {
        let mut net = settled(6, 1, None);
        (net.loss, net.late, net.lag) = (0.05, Duration::from_millis(15), Duration::from_millis(300));
        let (x, y) = (net.add(100, ring_of(1, None)), net.add(11, ring_of(1, None)));
        net.nodes[x].nick = Arc::from("same");
        net.nodes[y].nick = Arc::from("same");
        net.join(y, (seed % 6) as usize);
        net.run(Duration::from_millis(seed * 3 % 97));
        net.join(x, (seed / 6 % 6) as usize);
        net.run(SETTLE);
        assert_eq!(net.double_nick(), None, "seed {seed}");
        assert_eq!(net.fault(1), None, "seed {seed}");
        refused += [x, y].iter().filter(|&&who| net.nodes[who].refused.is_some()).count();
    }
    assert_eq!(refused, 60, "one of each two");
}

#[test]
fn a_member_that_just_came_in_does_not_take_itself_for_alone() {
    let mut net = settled(4, 1, None);
    net.lag = Duration::from_millis(800);
    let (first, second) = (net.add(100, ring_of(1, None)), net.add(101, ring_of(1, None)));
    net.nodes[second].nick = net.nodes[2].nick.clone();
    net.join(first, 0);
    while !net.is_member(first) {
        net.run(HOP);
    }
    net.join(second, first);
    net.run(SETTLE);
    assert_eq!(net.nodes[second].refused, Some("nick-taken"));
    assert_eq!(net.fault(1), None);
}

#[test]
fn one_that_returns_is_not_refused_because_of_itself() {
    for contact in [0, 2] {
        let mut net = settled(4, 1, None);
        // Killed and back before anybody noticed: the roster still calls it live.
        net.nodes[1].up = false;
        for other in [0, 2, 3] {
            net.unlink(1, other);
        }
        net.restart(1, contact, ring_of(1, None));
        net.run(SETTLE);
        assert_eq!(net.nodes[1].refused, None);
        assert_eq!(net.nodes[1].state, State::Alive);
        assert_eq!(net.fault(1), None);
    }
}

#[test]
fn a_query_that_cannot_come_round_does_not_keep_newcomers_out() {
    let mut net = settled(5, 1, None);
    // Everybody but the contact stops; nobody has noticed.
    for who in 1..5 {
        net.nodes[who].up = false;
    }
    let late = net.add(200, ring_of(1, None));
    net.join(late, 0);
    net.run(Duration::from_secs(5));
    assert!(net.is_member(late));
}

#[test]
fn joins_survive_heavy_loss() {
    for seed in 0..20 {
        let mut net = Net::new(seed);
        net.loss = 0.3;
        for i in 0..6u8 {
            let who = net.add(i * 40 + 1, ring_of(1, None));
            if who == 0 {
                net.found(who);
            } else {
                net.join(who, who / 2);
                net.run(Duration::from_secs(20));
                assert!(net.is_member(who), "seed {seed}: {who}");
            }
        }
        net.run(SETTLE);
        assert_eq!(net.fault(1), None, "seed {seed}");
    }
}
