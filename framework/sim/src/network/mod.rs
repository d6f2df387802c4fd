//! What happens between nodes.

mod latency;
mod paths;

use std::time::Duration;

pub use latency::Latency;
pub use paths::{PartitionId, Paths};

/// The settings of a simulated network; all of them may change while a run goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// One way, per frame.
    pub latency: Latency,
    /// Share of frames that vanish, on every lane.
    pub loss: f64,
    /// Share of frames that arrive twice.
    pub duplicate: f64,
    /// Share of frames that arrive late, behind frames sent after them.
    pub reorder: f64,
    /// How late they arrive at most.
    pub reorder_by: Duration,
    /// Bytes per second that a node can send, and receive; `None`: no bound.
    pub bandwidth: Option<u64>,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            latency: Latency::Fixed(Duration::from_millis(10)),
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Duration::from_millis(20),
            bandwidth: None,
        }
    }
}

impl Network {
    /// The same network without loss, duplication or reordering.
    #[must_use]
    pub fn healed(&self) -> Network {
        Network { loss: 0.0, duplicate: 0.0, reorder: 0.0, ..self.clone() }
    }
}
