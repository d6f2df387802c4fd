//! Measures of this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

/// Memory that is in use now, in KiB; `None` where the system does not tell.
#[must_use]
pub fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Files and sockets that this process may have open.
#[must_use]
pub fn open_files_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(256)
}

/// How long this process itself did not get to run: what a busy machine adds to every pause that is measured.
pub struct Stutter {
    longest_us: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Stutter {
    const STEP: Duration = Duration::from_millis(5);

    /// Begins to measure.
    #[must_use]
    pub fn start() -> Self {
        let longest_us = Arc::new(AtomicU64::new(0));
        let kept = longest_us.clone();
        let task = tokio::spawn(async move {
            loop {
                let before = Instant::now();
                tokio::time::sleep(Self::STEP).await;
                let late = before.elapsed().saturating_sub(Self::STEP);
                kept.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        Stutter { longest_us, task }
    }

    /// The longest so far.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.longest_us.load(Ordering::Relaxed))
    }
}

impl Drop for Stutter {
    fn drop(&mut self) {
        self.task.abort();
    }
}
