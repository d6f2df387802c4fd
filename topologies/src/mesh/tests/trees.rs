//! Broadcast trees: little is sent twice once they have grown, and broken branches grow again.

use super::super::Config;
use super::super::tree::Trees;
use super::{active, pick, settled};
use tertulia_core::id::Peer;

#[test]
fn after_the_first_parcel_almost_nothing_is_sent_twice() {
    for config in [pick(4), active(5)] {
        let mut net = settled(40, config);
        for origin in [0, 17, 39] {
            let first = net.spread(origin, 1);
            assert_eq!((first.reached.len(), first.pulled.len()), (40, 0), "the first goes everywhere");
            assert!(first.payloads > 100, "{}", first.payloads);
            for number in 2..6 {
                let next = net.spread(origin, number);
                assert_eq!((next.reached.len(), next.pulled.len()), (40, 0));
                // A tree; a new link carries two payloads before it is found to be one too many.
                assert!((39..=43).contains(&next.payloads), "{config:?}, {origin}, {number}: {next:?}");
                assert!(next.announced > 80, "{}", next.announced);
            }
        }
    }
}

#[test]
fn a_branch_that_breaks_grows_again() {
    for config in [pick(3), active(4)] {
        branches_grow_again(config);
    }
}

fn branches_grow_again(config: Config) {
    let mut net = settled(30, config);
    (1..4).for_each(|number| drop(net.spread(0, number)));
    let mut pulls = 0;
    for (round, dead) in [5, 11, 23].into_iter().enumerate() {
        net.crash(dead);
        let all = net.all();
        for number in 0..3 {
            let next = net.spread(0, 10 * (round as u64 + 1) + number);
            assert!(all.iter().all(|who| next.reached.contains(who)), "{all:?} {next:?}");
            pulls += next.pulled.len();
        }
        net.run(super::SETTLE);
        (4..7).for_each(|number| drop(net.spread(0, 10 * (round as u64 + 1) + number)));
        let next = net.spread(0, 10 * (round as u64 + 1) + 9);
        assert_eq!((next.pulled.len(), next.payloads), (0, all.len() - 1), "a tree again");
    }
    println!("{pulls} pulls");
}

#[test]
fn the_way_that_parcels_come_is_not_pruned() {
    let (origin, a, b) = (Peer(1), Peer(2), Peer(3));
    let mut trees = Trees::default();
    trees.came(origin, a);
    assert!(trees.came_again(origin, b), "one too many");
    // On its way before it was told to stop.
    trees.came(origin, b);
    assert!(!trees.came_again(origin, a), "the only way left");
    assert!(trees.came_again(origin, b), "told again: the first may be lost");
    // It is the only one that goes on.
    (0..4).for_each(|_| trees.came(origin, b));
    assert!(trees.came_again(origin, a));
    assert!(!trees.came_again(origin, b));
}

#[test]
fn who_pulls_gets_payloads_and_a_new_link_carries_them() {
    let (origin, a, b) = (Peer(1), Peer(2), Peer(3));
    let mut trees = Trees::default();
    for peer in [a, b] {
        trees.prune(origin, peer);
        assert!(trees.is_lazy(origin)(peer));
    }
    trees.graft(origin, a);
    assert!(!trees.is_lazy(origin)(a) && trees.is_lazy(origin)(b));
    trees.link_up(b);
    assert!(!trees.is_lazy(origin)(b));
}
