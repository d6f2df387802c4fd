//! How long a frame travels.

use std::time::Duration;

use tertulia_core::rng::{NodeRng, mix};

/// A distribution of one-way latencies.
#[derive(Clone, Debug, PartialEq)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Evenly between two bounds, anew for each frame.
    Uniform(Duration, Duration),
    /// Log-normal, anew for each frame.
    LogNormal {
        /// Half of the frames are faster.
        median: Duration,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Fixed per pair, evenly between two bounds, the same both ways, and spread by `jitter` per frame.
    Pair {
        /// The fastest pair.
        min: Duration,
        /// The slowest pair.
        max: Duration,
        /// ± share per frame.
        jitter: f64,
    },
}

impl Latency {
    /// The time of one frame from `a` to `b`. The latency of a pair is a hash of the pair: no table.
    pub fn draw(&self, seed: u64, a: u32, b: u32, rng: &mut NodeRng) -> Duration {
        match *self {
            Latency::Fixed(d) => d,
            Latency::Uniform(min, max) => between(min, max, rng.unit()),
            Latency::LogNormal { median, sigma } => {
                let scale = (sigma * normal(rng)).exp();
                median.mul_f64(scale.clamp(1e-3, 1e3))
            }
            Latency::Pair { min, max, jitter } => {
                let pair = u64::from(a.min(b)) << 32 | u64::from(a.max(b));
                let share = (mix(seed ^ mix(pair)) >> 11) as f64 / (1u64 << 53) as f64;
                rng.jitter(between(min, max, share), jitter)
            }
        }
    }
}

fn between(min: Duration, max: Duration, share: f64) -> Duration {
    min + max.saturating_sub(min).mul_f64(share)
}

/// A standard normal draw (Box and Muller 1958).
fn normal(rng: &mut NodeRng) -> f64 {
    let (u, v) = (1.0 - rng.unit(), rng.unit());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_pair_keeps_its_latency_both_ways() {
        let mut rng = NodeRng::new(1);
        let pair = Latency::Pair { min: MS(10), max: MS(50), jitter: 0.0 };
        let there = pair.draw(9, 3, 8, &mut rng);
        assert_eq!(there, pair.draw(9, 8, 3, &mut rng));
        assert_ne!(there, pair.draw(9, 3, 9, &mut rng));
        assert!((MS(10)..=MS(50)).contains(&there));
    }

    #[test]
    fn half_of_the_log_normal_is_below_the_median() {
        let mut rng = NodeRng::new(2);
        let latency = Latency::LogNormal { median: MS(20), sigma: 0.5 };
        let below = (0..10_000).filter(|_| latency.draw(0, 0, 1, &mut rng) < MS(20)).count();
        assert!((4_800..5_200).contains(&below), "{below}");
    }
}
