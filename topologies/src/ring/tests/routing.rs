//! Where parcels go.

use tertulia_core::id::Peer;
use tertulia_core::peers::State;
use tertulia_core::topology::{Input, Novelty, Routed};

use super::settled;

#[test]
fn a_group_parcel_reaches_everybody_from_both_sides() {
    for r in 1..=3 {
        for n in 1..=9 {
            let mut net = settled(n, r, None);
            for origin in 0..usize::from(n) {
                let (reached, crossed) = net.parcel(origin, None);
                assert_eq!(reached.len(), usize::from(n), "r {r}, n {n}");
                // Where the two copies meet, each side may send once more.
                assert!(crossed <= usize::from(n) + 1, "r {r}, n {n}: {crossed}");
            }
        }
    }
}

#[test]
fn a_frozen_neighbour_does_not_hide_those_behind_it() {
    let mut net = settled(7, 2, None);
    let ring = net.members();
    net.set_state(ring[1], State::Suspect);
    net.set_state(ring[6], State::Suspect);
    net.nodes[ring[1]].up = false;
    net.nodes[ring[6]].up = false;
    let (reached, _) = net.parcel(ring[0], None);
    assert_eq!(reached.len(), 7, "the frozen get it as well");
}

#[test]
fn a_direct_parcel_finds_its_recipient_and_stops() {
    for r in 1..=2 {
        let mut net = settled(8, r, None);
        for origin in 0..8 {
            for to in (0..8).filter(|&to| to != origin) {
                let (reached, crossed) = net.parcel(origin, Some(to));
                assert!(reached.contains(&to), "r {r}: {origin} to {to}");
                assert!(crossed <= 8, "r {r}: {origin} to {to} crossed {crossed}");
            }
        }
    }
}

#[test]
fn a_direct_parcel_for_somebody_gone_goes_nowhere() {
    let mut net = settled(6, 1, None);
    net.leave(3);
    net.run(super::SETTLE);
    let (reached, crossed) = net.parcel(0, Some(3));
    assert_eq!((reached.len(), crossed), (1, 0));
}

#[test]
fn a_direct_parcel_for_somebody_unknown_goes_round_once() {
    let mut net = settled(6, 1, None);
    let stranger = net.add(250, super::ring_of(1, None));
    let (reached, crossed) = net.parcel(0, Some(stranger));
    assert_eq!(reached.len(), 6);
    assert!(crossed <= 7, "{crossed}");
}

#[test]
fn a_direct_parcel_whose_origin_left_ends_by_its_hops() {
    let mut net = settled(6, 1, None);
    let stranger = net.add(250, super::ring_of(1, None));
    let ring = net.members();
    let parcel =
        |origin: Peer, hops| Routed { origin, to: Some(crate::net::id(251)), hops, number: 1, len: 9 };
    let (origin, from) = (net.handle(ring[0], stranger), net.handle(ring[0], ring[5]));
    let routed = |net: &mut super::Net, hops| {
        let novelty = Novelty::New;
        net.routed(ring[0], Input::Route { parcel: parcel(origin, hops), from: Some(from), novelty })
    };
    assert_eq!(routed(&mut net, 3), (vec![ring[1]], vec![]), "onward, away from where it came");
    assert_eq!(routed(&mut net, 14), (vec![], vec![]), "more links than members");
}

#[test]
fn duplicates_and_outsiders_get_nothing() {
    let mut net = settled(4, 1, None);
    let guest = net.add(250, super::ring_of(1, None));
    net.link(guest, 0);
    let routed = |net: &mut super::Net, novelty| {
        let parcel = Routed { origin: Peer::ME, to: None, hops: 0, number: 1, len: 9 };
        net.routed(0, Input::Route { parcel, from: None, novelty })
    };
    let (eager, lazy) = routed(&mut net, Novelty::New);
    assert!(eager.len() == 2 && lazy.is_empty() && !eager.contains(&guest));
    assert_eq!(routed(&mut net, Novelty::Duplicate), (vec![], vec![]));
}

#[test]
fn redundant_links_get_announcements() {
    let mut net = settled(7, 3, None);
    let ring = net.members();
    let parcel = Routed { origin: Peer::ME, to: None, hops: 0, number: 1, len: 9 };
    let route = Input::Route { parcel, from: None, novelty: Novelty::New };
    let (eager, mut lazy) = net.routed(ring[0], route);
    lazy.sort_unstable();
    let mut others = ring[2..=5].to_vec();
    others.sort_unstable();
    assert_eq!((eager, lazy), (vec![ring[1], ring[6]], others));
}
