//! Which numbers of records were there already, on a link that loses, doubles and reorders (RFC 6479).

use super::Session;

/// The record numbers of one direction that were opened: a fixed window behind the highest one.
///
/// What is older than the window counts as seen. The window is longer than anything that a transport has under way.
#[derive(Debug)]
pub(super) struct Window {
    highest: u64,
    bits: [u64; Window::WORDS],
}

impl Window {
    /// Numbers remembered, one word more for the one that is being filled.
    pub(super) const SPAN: u64 = (Self::WORDS as u64 - 1) * 64;
    const WORDS: usize = 129;

    pub(super) const fn new() -> Self {
        Window { highest: 0, bits: [0; Self::WORDS] }
    }

    /// True for a number that was not seen and is not too old to tell.
    pub(super) fn is_new(&self, number: u64) -> bool {
        number >= Session::FIRST
            && (number > self.highest
                || self.highest - number < Self::SPAN
                    && self.bits[Self::word(number)] >> (number % 64) & 1 == 0)
    }

    /// Notes a number, once its record was found to be genuine.
    pub(super) fn mark(&mut self, number: u64) {
        if number > self.highest {
            let steps = (number / 64 - self.highest / 64).min(Self::WORDS as u64);
            for step in 0..steps {
                self.bits[Self::word((number / 64 - step) * 64)] = 0;
            }
            self.highest = number;
        }
        self.bits[Self::word(number)] |= 1 << (number % 64);
    }

    fn word(number: u64) -> usize {
        (number / 64 % Self::WORDS as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tertulia_core::rng::NodeRng;

    use super::*;

    #[test]
    fn every_number_passes_once() {
        let mut rng = NodeRng::new(3);
        for spread in [1, 60, 5_000, 40_000] {
            let (mut window, mut seen, mut base) = (Window::new(), BTreeSet::new(), 1u64);
            for _ in 0..50_000 {
                base += rng.below(3) as u64;
                let number = base + rng.below(spread) as u64;
                let highest = seen.last().copied().unwrap_or(0);
                let fresh = !seen.contains(&number);
                if number + Window::SPAN > highest {
                    assert_eq!(window.is_new(number), fresh, "{number} of {highest}");
                } else {
                    assert!(!window.is_new(number), "{number} is too old to tell");
                }
                if window.is_new(number) {
                    window.mark(number);
                    seen.insert(number);
                }
            }
            assert!(seen.len() > 100);
        }
        assert!(!Window::new().is_new(0), "numbers below the first belong to the handshake");
    }

    #[test]
    fn a_leap_forgets_what_is_too_old() {
        let mut window = Window::new();
        for number in [1, 2, 1 << 40, (1 << 40) + Window::SPAN - 1] {
            assert!(window.is_new(number));
            window.mark(number);
            assert!(!window.is_new(number));
        }
        assert!(!window.is_new(1) && !window.is_new(3) && !window.is_new(1 << 40));
        assert!(window.is_new((1 << 40) + 1));
        // The highest numbers that there are.
        window.mark(u64::MAX);
        assert!(window.is_new(u64::MAX - 1) && !window.is_new(u64::MAX) && !window.is_new(1));
    }
}
