//! Sets of numbers that are mostly one run of consecutive ones.

/// A sorted set of closed, disjoint, not adjacent intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<(u64, u64)>);

impl Spans {
    /// Adds `from..=to`; nothing when `from > to`.
    pub fn insert(&mut self, from: u64, to: u64) {
        if from > to {
            return;
        }
        // Nearly always the next numbers in order.
        if let Some(last) = self.0.last_mut()
            && from >= last.0
            && from <= last.1.saturating_add(1)
        {
            last.1 = last.1.max(to);
            return;
        }
        let begin = self.0.partition_point(|s| s.1.saturating_add(1) < from);
        let end = self.0.partition_point(|s| s.0 <= to.saturating_add(1));
        let merged = self.0[begin..end].iter().fold((from, to), |m, s| (m.0.min(s.0), m.1.max(s.1)));
        self.0.splice(begin..end, [merged]);
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Spans) {
        for &(from, to) in &other.0 {
            self.insert(from, to);
        }
    }

    /// True when `n` is in the set.
    #[must_use]
    pub fn contains(&self, n: u64) -> bool {
        let at = self.0.partition_point(|s| s.1 < n);
        self.0.get(at).is_some_and(|s| s.0 <= n)
    }

    /// How many of `from..=to` are in the set.
    #[must_use]
    pub fn count_within(&self, from: u64, to: u64) -> u64 {
        let parts = self.0.iter().map(|s| (s.0.max(from), s.1.min(to)));
        parts.filter(|(a, b)| a <= b).map(|(a, b)| b - a + 1).sum()
    }

    /// The numbers of `from..=to` that are not in the set, as a set.
    #[must_use]
    pub fn missing(&self, from: u64, to: u64) -> Spans {
        let mut out = Vec::new();
        let mut next = from;
        for &(a, b) in self.0.iter().filter(|s| s.1 >= from && s.0 <= to) {
            if a > next {
                out.push((next, a - 1));
            }
            next = b.saturating_add(1);
        }
        if next <= to {
            out.push((next, to));
        }
        Spans(out)
    }

    /// How many numbers are in the set.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(a, b)| b - a + 1).sum()
    }

    /// True when nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The intervals.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_the_set_that_they_should_be() {
        let mut rng = tertulia_core::rng::NodeRng::new(4);
        for _ in 0..500 {
            let mut spans = Spans::default();
            let mut set = std::collections::BTreeSet::new();
            for _ in 0..8 {
                let from = rng.below(40) as u64;
                let to = from + rng.below(6) as u64;
                spans.insert(from, to);
                set.extend(from..=to);
            }
            let (a, b) = (rng.below(20) as u64, 20 + rng.below(20) as u64);
            assert!((0..50).all(|n| spans.contains(n) == set.contains(&n)));
            assert_eq!(spans.count(), set.len() as u64);
            assert_eq!(spans.count_within(a, b), set.range(a..=b).count() as u64);
            let missing: Vec<u64> = spans.missing(a, b).iter().flat_map(|(x, y)| x..=y).collect();
            assert_eq!(missing, (a..=b).filter(|n| !set.contains(n)).collect::<Vec<_>>());
            assert!(spans.0.windows(2).all(|w| w[0].1 + 1 < w[1].0));
        }
    }
}
