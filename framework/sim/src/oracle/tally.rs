//! What became of messages, in numbers.

use std::fmt;

/// Counts of one run, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages accepted.
    pub published: u64,
    /// Pairs: the receiver is correct, not the origin, and was a member when the message was accepted.
    pub expected: u64,
    /// Pairs that arrived.
    pub delivered: u64,
    /// Pairs whose message nobody that runs held when its origin was gone.
    pub orphaned: u64,
    /// Pairs that the receiver was told about as a gap, or the origin as undeliverable.
    pub told: u64,
    /// Pairs that are missing.
    pub lost: u64,
    /// Messages that an application got twice in one run.
    pub duplicates: u64,
    /// Deliveries out of order.
    pub disordered: u64,
    /// Messages that nobody published so.
    pub forged: u64,
}

impl Tally {
    /// Adds another run's counts.
    pub fn add(&mut self, other: &Tally) {
        self.published += other.published;
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.orphaned += other.orphaned;
        self.told += other.told;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.disordered += other.disordered;
        self.forged += other.forged;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { published, expected, delivered, orphaned, told, lost, .. } = self;
        let Tally { duplicates, disordered, forged, .. } = self;
        write!(f, "{published} published, {delivered} of {expected} pairs delivered, {orphaned} orphaned, ")?;
        write!(
            f,
            "{told} told, {lost} lost, {duplicates} duplicates, {disordered} disordered, {forged} forged"
        )
    }
}
