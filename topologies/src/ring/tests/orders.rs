//! Two events on a small ring, every pair of them, at every message boundary.

use super::{SETTLE, ring_of, settled};
use crate::net::{HOP, Net};

#[derive(Clone, Copy, Debug)]
enum What {
    Join(usize),
    Leave(usize),
    Crash(usize),
}

fn happen(net: &mut Net, r: u8, place: u8, what: What) {
    match what {
        What::Join(contact) if net.is_member(contact) => {
            let who = net.add(place, ring_of(r, None));
            net.join(who, contact);
        }
        What::Leave(who) if net.is_member(who) => net.leave(who),
        What::Crash(who) if net.is_member(who) => net.crash(who),
        _ => {}
    }
}

#[test]
fn two_events_at_every_boundary_leave_one_ring() {
    let events: Vec<What> =
        (0..4).flat_map(|who| [What::Join(who), What::Leave(who), What::Crash(who)]).collect();
    let mut runs = 0;
    for r in 1..=2 {
        for (&first, &second) in events.iter().flat_map(|a| events.iter().map(move |b| (a, b))) {
            for hops in 0..8 {
                let mut net = settled(4, r, None);
                happen(&mut net, r, 100, first);
                net.run(HOP * hops);
                happen(&mut net, r, 101, second);
                net.run(SETTLE);
                let late = net.nodes.len() > 4 && !net.is_member(4);
                // Its contact went before the verdict: the engine names another one then.
                let orphan = match (first, second) {
                    (What::Join(a), What::Leave(b) | What::Crash(b)) => a == b,
                    (What::Leave(a), What::Join(b)) => a == b,
                    _ => false,
                };
                assert!(!late || orphan, "r {r}, {first:?} then {second:?} after {hops}: not let in");
                assert_eq!(net.fault(usize::from(r)), None, "r {r}, {first:?} then {second:?} after {hops}");
                runs += 1;
            }
        }
    }
    assert_eq!(runs, 2 * 12 * 12 * 8);
}
