//! The score board: what was published, what arrived, and whether it arrived as it was sent.
//!
//! A payload carries its publisher, its number and a check value at both ends, so that a mixed-up or truncated
//! buffer shows. Each receiver expects every publisher's payloads in order, each once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::latency::Latency;

/// Bytes that the smallest payload needs.
pub const SMALLEST: usize = 32;

fn check(publisher: u64, seq: u64) -> u64 {
    (seq ^ publisher.rotate_left(48)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

/// Writes payload number `seq` of a publisher over `payload`, whose length stays.
pub fn fill(payload: &mut [u8], publisher: usize, seq: u64) {
    let publisher = publisher as u64;
    let sum = check(publisher, seq).to_le_bytes();
    payload[..8].copy_from_slice(&publisher.to_le_bytes());
    payload[8..16].copy_from_slice(&seq.to_le_bytes());
    payload[16..24].copy_from_slice(&sum);
    let tail = payload.len() - 8;
    payload[tail..].copy_from_slice(&sum);
}

/// What one receiver has seen, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Row {
    delivered: AtomicU64,
    duplicates: AtomicU64,
    corrupt: AtomicU64,
    reordered: AtomicU64,
    next: Box<[AtomicU64]>,
}

/// What all receivers have seen.
#[derive(Debug)]
pub struct Board {
    size: usize,
    rows: Vec<Row>,
    /// Publishers stop when this is set.
    pub stop: AtomicBool,
    /// How long payloads took, in a paced run.
    pub latency: Option<Latency>,
}

impl Board {
    /// A board for `n` nodes and payloads of `size` bytes. In a run paced at `rate` messages per second and publisher
    /// it takes the time as well; 0 means unpaced.
    #[must_use]
    pub fn new(n: usize, size: usize, rate: f64) -> Arc<Self> {
        let row = || Row { next: (0..n).map(|_| AtomicU64::new(0)).collect(), ..Row::default() };
        Arc::new(Board {
            size,
            rows: (0..n).map(|_| row()).collect(),
            stop: AtomicBool::new(false),
            latency: (rate > 0.0).then(|| Latency::new(n, rate)),
        })
    }

    /// A payload arrived at a node.
    pub fn deliver(&self, node: usize, payload: &[u8]) {
        let row = &self.rows[node];
        let word =
            |at: usize| payload.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        let (publisher, seq) = (word(0), word(8));
        let sum = check(publisher, seq);
        let intact = payload.len() == self.size && word(16) == sum && word(payload.len() - 8) == sum;
        let Some(next) = row.next.get(publisher as usize).filter(|_| intact) else {
            row.corrupt.fetch_add(1, Relaxed);
            return;
        };
        let expected = next.load(Relaxed);
        if seq < expected {
            row.duplicates.fetch_add(1, Relaxed);
            return;
        }
        row.reordered.fetch_add(u64::from(seq > expected), Relaxed);
        row.delivered.fetch_add(1, Relaxed);
        if let Some(latency) = &self.latency {
            latency.arrived(node, seq);
        }
        next.store(seq + 1, Relaxed);
    }

    /// Payloads delivered so far, at all receivers.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.rows.iter().map(|r| r.delivered.load(Relaxed)).sum()
    }

    /// Payloads that came twice, altered, or out of order.
    #[must_use]
    pub fn faults(&self) -> (u64, u64, u64) {
        let sum = |f: fn(&Row) -> &AtomicU64| self.rows.iter().map(|r| f(r).load(Relaxed)).sum();
        (sum(|r| &r.duplicates), sum(|r| &r.corrupt), sum(|r| &r.reordered))
    }
}
