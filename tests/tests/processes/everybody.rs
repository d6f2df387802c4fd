//! Everybody talks at once, and everybody hears everything once and in order.

use tertulia_tests::program::group::Shape;
use tertulia_tests::program::talk::words;
use tertulia_tests::program::{Place, Running, check, group};

/// Lines that each one says.
const LINES: u64 = 150;

fn talk(profile: &str, n: usize, shape: Shape) {
    talk_at(&Place::new(), profile, n, shape);
}

fn talk_at(place: &Place, profile: &str, n: usize, shape: Shape) {
    let all = group::group(place, profile, n, shape);
    for member in &all {
        let lines: String = (1..=LINES).map(|n| words(&member.name, n, 60) + "\n").collect();
        assert!(member.types(lines.as_bytes()));
    }
    let peers: Vec<String> = all.iter().map(Running::peer).collect();
    for member in &all {
        let me = member.peer();
        member.until("all that was said", |state| {
            let others = peers.iter().filter(|p| **p != me);
            (state.delivered == LINES && others.clone().all(|p| state.heard(p) >= LINES)).then_some(())
        });
    }
    all.iter().for_each(Running::end_input);
    for (at, member) in all.iter().enumerate() {
        member.leaves();
        let heard = member.state(check::heard);
        assert_eq!(heard.len(), n - 1);
        for (other, peer) in all.iter().zip(&peers).enumerate().filter(|(i, _)| *i != at).map(|(_, it)| it) {
            let (_, stream) = heard.iter().find(|((origin, _), _)| origin == peer).unwrap();
            check::exactly(stream, LINES, |n| words(&other.name, n, 60));
            assert!(stream.iter().all(|m| *m.from == *other.name && !m.history));
        }
        let fates = member.state(|state| check::fates(state, |n| words(&member.name, n, 60)));
        assert_eq!(fates.len() as u64, LINES);
        let others = (n - 1) as u64;
        assert!(fates.iter().all(|fate| *fate == (others, others)), "{fates:?}");
    }
}

#[test]
fn two_on_a_ring() {
    talk("ring", 2, Shape::Ring(1));
}

#[test]
fn two_on_a_redundant_ring() {
    talk("redundant-ring", 2, Shape::Ring(3));
}

#[test]
fn eight_on_a_ring() {
    talk("ring", 8, Shape::Ring(1));
}

#[test]
fn eight_on_a_redundant_ring() {
    talk("redundant-ring", 8, Shape::Ring(3));
}

#[test]
fn eight_around_a_leader() {
    talk("leader", 8, Shape::Star);
}

#[test]
fn eight_through_a_leader() {
    talk_at(&Place::new().set("topology.routing=\"leader\""), "leader", 8, Shape::Star);
}

#[test]
fn two_over_udp() {
    talk_at(&Place::new().set("transport.kind=\"udp\""), "ring", 2, Shape::Ring(1));
}

#[test]
fn eight_over_udp() {
    talk_at(&Place::new().set("transport.kind=\"udp\""), "redundant-ring", 8, Shape::Ring(3));
}
