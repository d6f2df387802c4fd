//! Which datagrams of a link have arrived, and what its other end is told of that.

/// The datagrams of one direction that arrived: the last [`Seen::SPAN`] and a few more.
#[derive(Debug)]
pub(super) struct Seen {
    /// One above the highest number; 0 when nothing came yet.
    next: u64,
    words: [u64; Seen::WORDS],
}

impl Seen {
    /// Numbers that are remembered.
    pub(super) const SPAN: u64 = (Self::WORDS as u64 - 1) * 64;
    const WORDS: usize = 17;

    pub(super) const fn new() -> Self {
        Seen { next: 0, words: [0; Self::WORDS] }
    }

    /// True for a datagram that has not arrived yet and is not too old to tell.
    pub(super) fn is_new(&self, number: u64) -> bool {
        number >= self.next
            || self.next - number <= Self::SPAN && self.words[word(number)] >> (number % 64) & 1 == 0
    }

    /// Notes a datagram; false when it was noted before, or is too old to tell.
    pub(super) fn note(&mut self, number: u64) -> bool {
        if !self.is_new(number) || number == u64::MAX {
            return false;
        }
        if number >= self.next {
            let behind = self.next.checked_sub(1).map_or(0, |highest| highest / 64);
            let steps = (number / 64 - behind).min(Self::WORDS as u64);
            (0..steps).for_each(|step| self.words[word((number / 64 - step) * 64)] = 0);
            self.next = number + 1;
        }
        self.words[word(number)] |= 1 << (number % 64);
        true
    }

    /// True when a number below the highest one is missing, as far as is remembered.
    pub(super) fn is_torn(&self, number: u64) -> bool {
        number < self.next.saturating_sub(1)
            || number.checked_sub(1).is_some_and(|before| self.is_new(before))
    }

    /// What the sender is told, `delay_us` after the highest arrived; `room` more records can be taken.
    pub(super) fn report(&self, delay_us: u32, room: u16) -> Report {
        Report { highest: self.next.saturating_sub(1), delay_us, room, words: self.words }
    }
}

fn word(number: u64) -> usize {
    (number / 64 % Seen::WORDS as u64) as usize
}

/// What a receiver says about the datagrams that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// The highest number that arrived.
    pub(super) highest: u64,
    /// For how many microseconds that was known.
    pub(super) delay_us: u32,
    /// Records beyond the highest number that the receiver has room for.
    pub(super) room: u16,
    /// As [`Seen`] has them: bit `n % 64` of word `n / 64 % 17`.
    words: [u64; Seen::WORDS],
}

impl Report {
    const LEN: usize = 8 + 4 + 2 + Seen::WORDS * 8;

    /// True when the datagram arrived.
    pub(super) fn has(&self, number: u64) -> bool {
        number <= self.highest
            && number + Seen::SPAN > self.highest
            && self.words[word(number)] >> (number % 64) & 1 == 1
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.highest.to_le_bytes());
        out.extend_from_slice(&self.delay_us.to_le_bytes());
        out.extend_from_slice(&self.room.to_le_bytes());
        self.words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Report> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().ok()?;
        let (highest, rest) = bytes.split_first_chunk::<8>()?;
        let (delay, rest) = rest.split_first_chunk::<4>()?;
        let (room, rest) = rest.split_first_chunk::<2>()?;
        let mut words = [0; Seen::WORDS];
        for (word, bytes) in words.iter_mut().zip(rest.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        let highest = u64::from_le_bytes(*highest);
        // Beyond any number that is ever sent: sums with it must not overflow.
        let (delay_us, room) = (u32::from_le_bytes(*delay), u16::from_le_bytes(*room));
        (highest < 1 << 62).then_some(Report { highest, delay_us, room, words })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tertulia_core::rng::NodeRng;

    use super::*;

    #[test]
    fn each_number_counts_once_and_is_reported() {
        let mut rng = NodeRng::new(7);
        for spread in [1, 100, 900] {
            let (mut seen, mut known, mut base) = (Seen::new(), BTreeSet::new(), 0u64);
            for _ in 0..20_000 {
                base += rng.below(3) as u64;
                let number = base + rng.below(spread) as u64;
                assert_eq!(seen.note(number), known.insert(number));
                let report = seen.report(0, 0);
                let highest = *known.last().unwrap();
                assert_eq!(report.highest, highest);
                let asked = highest.saturating_sub(rng.below(1000) as u64);
                assert_eq!(report.has(asked), known.contains(&asked), "{asked} of {highest}");
                assert!(!report.has(highest + 1));
            }
        }
    }

    #[test]
    fn what_is_too_old_counts_as_seen() {
        let mut seen = Seen::new();
        assert!(seen.note(0) && seen.note(5000) && !seen.note(5000 - Seen::SPAN - 64));
        assert!(seen.note(4999) && !seen.note(u64::MAX) && !seen.report(0, 0).has(0));
        assert!(seen.is_torn(5000 - 1) && seen.is_torn(4998));
    }

    #[test]
    fn the_highest_numbers_that_there_are_break_nothing() {
        let mut seen = Seen::new();
        assert!(seen.is_torn(u64::MAX) && !seen.note(u64::MAX) && seen.note(u64::MAX - 1));
        assert!(seen.note(u64::MAX - 3) && !seen.note(u64::MAX - 3) && !seen.is_new(u64::MAX - 1));
        assert!(seen.is_torn(u64::MAX - 1) && !seen.is_torn(u64::MAX));
    }
}
