//! Which orders of events there are, over which groups, and how they open.

use super::Explorer;
use super::run::QUIET;
use super::schedule::{Act, Place, Schedule};
use crate::auth::peer_id;
use crate::sim::auth_key;

/// Members at most.
pub const NODES: u32 = 5;

/// An order of events over a group, with everything that is settled before the second event.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) start: u32,
    pub(super) acts: Vec<Act>,
    pub(super) seed: u64,
    first: u32,
}

impl Opening {
    /// Which group it is over.
    pub(super) fn group(&self) -> (u32, u64) {
        (self.start, self.seed)
    }

    /// The schedule of the first event alone.
    pub(super) fn schedule(&self) -> Schedule {
        let places = vec![Place { who: self.first, after: QUIET }];
        Schedule { start: self.start, seed: self.seed, acts: self.acts.clone(), places }
    }
}

/// Every order of up to `events` events that makes sense over `start` members: nobody goes from a group of one,
/// nobody joins a group of five.
#[must_use]
pub fn orders(start: u32, events: usize) -> Vec<Vec<Act>> {
    let mut out = Vec::new();
    let mut todo = vec![(start, Vec::new())];
    while let Some((size, acts)) = todo.pop() {
        if acts.len() < events.min(3) {
            for act in Act::ALL {
                let after = match act {
                    Act::Join if size < NODES => size + 1,
                    Act::Leave | Act::Fail if size > 1 => size - 1,
                    _ => continue,
                };
                todo.push((after, [&acts[..], &[act]].concat()));
            }
        }
        if !acts.is_empty() {
            out.push(acts);
        }
    }
    out
}

/// Every beginning of a schedule: order, ring of ids, and at whom the first event strikes.
pub(super) fn openings(explorer: &Explorer) -> Vec<Opening> {
    let mut out = Vec::new();
    for start in 1..=explorer.start.min(NODES) {
        for acts in orders(start, explorer.events) {
            for ring in rings(start, &acts) {
                let seed = seed_of(explorer.sim.seed, &ring);
                let firsts = if acts[0] == Act::Join { start } else { 1 };
                out.extend((0..firsts).map(|first| Opening { start, acts: acts.clone(), seed, first }));
            }
        }
    }
    out
}

/// Every order of ids, clockwise from node 0, of members in the order of their numbers and newcomers anywhere
/// between them. What is the same after a rotation is there once.
fn rings(start: u32, acts: &[Act]) -> Vec<Vec<u32>> {
    let mut rings = vec![(0..start).collect::<Vec<u32>>()];
    let joins = acts.iter().enumerate().filter(|(_, act)| **act == Act::Join);
    for (newcomer, (event, _)) in (start..).zip(joins) {
        let grown = |ring: &Vec<u32>| {
            let first = if event == 0 { ring.len() } else { 1 };
            let at = |place: usize| [&ring[..place], &[newcomer], &ring[place..]].concat();
            (first..=ring.len()).map(at).collect::<Vec<_>>()
        };
        rings = rings.iter().flat_map(grown).collect();
    }
    rings
}

/// The first seed from `base` that spreads ids in this order.
fn seed_of(base: u64, ring: &[u32]) -> u64 {
    let is_so = |seed: &u64| {
        let key = auth_key(*seed);
        let mut order: Vec<u32> = (0..ring.len() as u32).collect();
        order.sort_by_key(|&n| peer_id(key, n));
        let zero = order.iter().position(|&n| n == 0).unwrap_or(0);
        order.rotate_left(zero);
        order == ring
    };
    (base..).find(is_so).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_keep_groups_between_one_and_five() {
        let text = |start| -> Vec<String> {
            let orders = orders(start, 3);
            orders.iter().map(|acts| acts.iter().map(|a| a.letter()).collect()).collect()
        };
        assert_eq!(text(2).len(), 3 + 5 + 15);
        assert!(!text(1).iter().any(|o| o.starts_with(['L', 'F']) || o.starts_with("JLL")));
        assert!(text(5).iter().all(|o| !o.starts_with('J') && !o.starts_with("LJJ")));
        assert!(text(4).contains(&"JFJ".into()) && !text(4).contains(&"JJF".into()));
    }

    #[test]
    fn every_ring_is_there_once() {
        use Act::{Fail, Join};
        assert_eq!(rings(4, &[Join]), [[0, 1, 2, 3, 4]]);
        assert_eq!(rings(3, &[Fail, Join]), [[0, 3, 1, 2], [0, 1, 3, 2], [0, 1, 2, 3]]);
        assert_eq!(rings(2, &[Join, Join, Join]).len(), 3 * 4);
        let ring = [0, 3, 1, 2];
        let seed = seed_of(7, &ring);
        let key = auth_key(seed);
        let turns = (0..4).filter(|&i| peer_id(key, ring[(i + 1) % 4]) < peer_id(key, ring[i])).count();
        assert!(seed >= 7 && turns == 1, "seed {seed}");
    }
}
