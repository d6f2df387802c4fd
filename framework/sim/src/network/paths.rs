//! Which pairs of nodes can talk, and how slowly: partitions, cut links, slow nodes.

use std::collections::{BTreeMap, BTreeSet};

/// A partition that can be healed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionId(u32);

/// Nodes on different sides do not hear each other. Nodes on no side hear everybody.
#[derive(Clone, Debug)]
struct Partition {
    id: PartitionId,
    /// Per node: 0 for no side, else the number of its side.
    side: Vec<u16>,
    /// Only what the first side says is not heard.
    one_way: bool,
}

/// What stands between nodes now.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    partitions: Vec<Partition>,
    cuts: BTreeSet<(u32, u32)>,
    slow: BTreeMap<u32, f64>,
    next: u32,
}

impl Paths {
    /// Separates the sides from each other; with `one_way`, others do not hear the first side and nothing else.
    pub fn partition(&mut self, sides: &[Vec<u32>], one_way: bool) -> PartitionId {
        let size = sides.iter().flatten().max().map_or(0, |&n| n as usize + 1);
        let mut side = vec![0u16; size];
        for (number, members) in (1u16..).zip(sides) {
            members.iter().for_each(|&n| side[n as usize] = number);
        }
        let id = PartitionId(self.next);
        self.next += 1;
        self.partitions.push(Partition { id, side, one_way });
        id
    }

    /// Ends a partition; true when it stood.
    pub fn heal(&mut self, id: PartitionId) -> bool {
        let before = self.partitions.len();
        self.partitions.retain(|p| p.id != id);
        before != self.partitions.len()
    }

    /// Cuts the way between two nodes, both directions.
    pub fn cut(&mut self, a: u32, b: u32) {
        self.cuts.insert((a.min(b), a.max(b)));
    }

    /// Mends what [`cut`](Paths::cut) cut.
    pub fn mend(&mut self, a: u32, b: u32) {
        self.cuts.remove(&(a.min(b), a.max(b)));
    }

    /// Multiplies all latencies of a node; 1 makes it as fast as the others.
    pub fn slow(&mut self, node: u32, factor: f64) {
        if factor == 1.0 {
            self.slow.remove(&node);
        } else {
            self.slow.insert(node, factor);
        }
    }

    /// Ends all partitions, cuts and slowness.
    pub fn clear(&mut self) {
        self.partitions.clear();
        self.cuts.clear();
        self.slow.clear();
    }

    /// True when nothing that `from` sends reaches `to`.
    #[must_use]
    pub fn blocked(&self, from: u32, to: u32) -> bool {
        let side = |p: &Partition, n: u32| p.side.get(n as usize).copied().unwrap_or(0);
        let apart = |p: &Partition| match (side(p, from), side(p, to)) {
            (0, _) | (_, 0) => false,
            (a, b) => a != b && (!p.one_way || a == 1),
        };
        (!self.cuts.is_empty() && self.cuts.contains(&(from.min(to), from.max(to))))
            || self.partitions.iter().any(apart)
    }

    /// True when the two cannot hold a conversation.
    #[must_use]
    pub fn apart(&self, a: u32, b: u32) -> bool {
        self.blocked(a, b) || self.blocked(b, a)
    }

    /// What latencies between two nodes are multiplied by.
    #[must_use]
    pub fn factor(&self, a: u32, b: u32) -> f64 {
        if self.slow.is_empty() {
            return 1.0;
        }
        let of = |n: u32| self.slow.get(&n).copied().unwrap_or(1.0);
        of(a) * of(b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_do_not_hear_each_other() {
        let mut paths = Paths::default();
        let id = paths.partition(&[vec![0, 1], vec![2]], false);
        assert!(paths.blocked(0, 2) && paths.blocked(2, 1) && !paths.blocked(0, 1) && !paths.blocked(0, 7));
        assert!(paths.heal(id) && !paths.heal(id));
        assert!(!paths.blocked(0, 2));
        paths.partition(&[vec![0], vec![1, 2]], true);
        assert!(paths.blocked(0, 2) && !paths.blocked(2, 0) && paths.apart(2, 0));
        paths.clear();
        paths.cut(3, 1);
        assert!(paths.blocked(1, 3) && paths.blocked(3, 1));
        paths.mend(1, 3);
        assert!(!paths.apart(1, 3));
    }
}
