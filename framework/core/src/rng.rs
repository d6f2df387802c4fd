//! Randomness of one node: a tree of seeds, so that a component's draws never shift another's.

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A seeded generator. Not for keys: those come from the operating system, outside the engine.
#[derive(Clone, Debug)]
pub struct NodeRng(Xoshiro256PlusPlus);

impl NodeRng {
    /// The root generator of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        NodeRng(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A child generator: the same seed and label give the same child.
    #[must_use]
    pub fn fork(seed: u64, label: u64) -> Self {
        NodeRng::new(mix(seed ^ mix(label.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..n`; 0 when `n` is 0. (Multiply-shift; the bias below 2⁻³² does not matter here.)
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from((u128::from(self.next_u64()) * n as u128) >> 64).unwrap_or(0)
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A duration spread evenly within ± `share` of `d`.
    pub fn jitter(&mut self, d: core::time::Duration, share: f64) -> core::time::Duration {
        d.mul_f64((1.0 + share * (2.0 * self.unit() - 1.0)).max(0.0))
    }

    /// A random element.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// Puts `items` in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// A bijective scramble of 64 bits (the finaliser of SplitMix64, Steele et al. 2014).
#[must_use]
pub const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
