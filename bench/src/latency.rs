//! How long payloads take, from the moment they were due to the moment a receiver has them.
//!
//! A publisher that falls behind its schedule does not hide it: the clock runs from the planned time, not from the
//! time of the call.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The longest time that is told apart, in microseconds.
const LONGEST: u64 = 60_000_000;

/// Times of arrival against a schedule that all publishers share.
#[derive(Debug)]
pub struct Latency {
    rate: f64,
    start: OnceLock<Instant>,
    /// By receiver, in microseconds.
    rows: Vec<Mutex<Histogram<u64>>>,
}

impl Latency {
    /// For `n` receivers of publishers that publish `rate` messages per second each.
    #[must_use]
    pub fn new(n: usize, rate: f64) -> Self {
        let row = || Histogram::new_with_max(LONGEST, 3).ok().map(Mutex::new);
        Latency {
            rate,
            start: OnceLock::new(),
            rows: std::iter::repeat_with(row).take(n).flatten().collect(),
        }
    }

    /// When a publisher's message of this number is due; the schedule begins with the first call.
    pub fn due(&self, seq: u64) -> Instant {
        *self.start.get_or_init(Instant::now) + Duration::from_secs_f64(seq as f64 / self.rate)
    }

    /// A message arrived at a node.
    pub fn arrived(&self, node: usize, seq: u64) {
        let took = Instant::now().saturating_duration_since(self.due(seq));
        let took = u64::try_from(took.as_micros()).unwrap_or(LONGEST);
        if let Some(row) = self.rows.get(node) {
            row.lock().saturating_record(took);
        }
    }

    /// Quantiles over all receivers, in milliseconds.
    #[must_use]
    pub fn quantiles(&self) -> Value {
        let mut all: Option<Histogram<u64>> = None;
        for row in &self.rows {
            match &mut all {
                // Same bounds, same precision: it fits.
                Some(all) => drop(all.add(&*row.lock())),
                None => all = Some(row.lock().clone()),
            }
        }
        let ms = |us: u64| us as f64 / 1e3;
        let q = |p: f64| all.as_ref().map_or(0.0, |h| ms(h.value_at_quantile(p)));
        let max = all.as_ref().map_or(0.0, |h| ms(h.max()));
        json!({ "p50": q(0.5), "p90": q(0.9), "p99": q(0.99), "p999": q(0.999), "max": max })
    }
}
