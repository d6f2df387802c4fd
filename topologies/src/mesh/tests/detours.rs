//! Everybody linked to everybody, but for two.

use std::time::Duration;

use super::{FULL, active, pick, settled};
use crate::net::pair;

#[test]
fn a_parcel_goes_from_its_origin_to_everybody_and_no_further() {
    let mut net = settled(9, FULL);
    let spread = net.spread(4, 1);
    assert_eq!((spread.reached.len(), spread.payloads, spread.announced), (9, 8, 0), "{spread:?}");
}

#[test]
fn two_that_cannot_link_hear_of_each_other_through_three_others() {
    let mut net = settled(9, FULL);
    net.blocked = Some(pair(2, 6));
    net.unlink(2, 6);
    net.run(Duration::from_secs(2));
    for (origin, other) in [(2, 6), (6, 2)] {
        let spread = net.spread(origin, 1);
        assert_eq!((spread.payloads, spread.announced), (7, 3), "{spread:?}");
        assert_eq!(spread.pulled.iter().map(|p| p.0).collect::<Vec<_>>(), [other]);
        assert_eq!(spread.reached.len(), 9);
    }
    assert_eq!(net.spread(0, 1).announced, 0, "others are not concerned");
    // For as long as it lasts, whatever is lost.
    net.loss = 0.3;
    net.run(Duration::from_secs(60));
    assert_eq!(net.spread(2, 2).announced, 3);
    net.loss = 0.0;
    net.blocked = None;
    net.run(Duration::from_secs(12));
    assert_eq!(net.mesh_fault(FULL), None);
    assert_eq!(net.spread(2, 3).announced, 0);
}

#[test]
fn a_direct_parcel_finds_its_recipient() {
    let mut net = settled(8, FULL);
    assert_eq!(net.direct(1, 5).1, 1);
    net.blocked = Some(pair(1, 5));
    net.unlink(1, 5);
    net.run(Duration::from_secs(2));
    assert!(net.direct(1, 5).0.contains(&5));
    for config in [pick(3), active(3)] {
        let mut sparse = settled(20, config);
        sparse.run(Duration::from_secs(30));
        assert_eq!(sparse.mesh_fault(config), None);
        for to in 1..20 {
            assert!(sparse.direct(0, to).0.contains(&to), "{to}");
        }
    }
}
