//! Planted faults must show.

use super::super::Planted;
use super::{SETTLE, ring_of, settled};

#[test]
fn the_documented_quit_tears_a_ring_of_five() {
    for (planted, broken) in [(None, false), (Some(Planted::DocumentedQuit), true)] {
        let mut net = settled(5, 1, planted);
        assert_eq!(net.fault(1), None, "it is right until somebody leaves");
        net.leave(2);
        net.run(SETTLE);
        assert_eq!(net.fault(1).is_some(), broken, "{planted:?}: {:?}", net.fault(1));
    }
}

#[test]
fn the_documented_quit_takes_the_ring_apart() {
    let mut net = settled(8, 1, Some(Planted::DocumentedQuit));
    let ring = net.members();
    net.leave(ring[1]);
    net.run(SETTLE);
    net.leave(ring[5]);
    net.run(SETTLE);
    let (reached, _) = net.parcel(ring[0], None);
    assert!(reached.len() < 6, "{reached:?}");
}

#[test]
fn the_join_of_2001_breaks_the_ring() {
    for r in 1..=3u8 {
        let planted = Some(Planted::Chord2001Join);
        let mut net = settled(6, r, planted);
        assert_eq!(net.fault(usize::from(r)), None, "it is right while nobody dies");
        let ring = net.members();
        let late = net.add(240, ring_of(r, planted));
        net.join(late, 0);
        net.run(std::time::Duration::from_millis(300));
        for &who in &ring[2..2 + usize::from(r)] {
            net.crash(who);
        }
        net.run(SETTLE * 3);
        assert!(net.fault(usize::from(r)).is_some(), "r {r}");
    }
}
