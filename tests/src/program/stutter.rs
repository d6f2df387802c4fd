//! How long a thread of this process did not get to run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a busy machine adds to every pause that is measured: it would be there without any member at fault.
#[derive(Debug)]
pub struct Stutter {
    longest_us: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stutter {
    const STEP: Duration = Duration::from_millis(5);

    /// Begins to measure.
    #[must_use]
    pub fn start() -> Self {
        let (longest_us, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (longest, end) = (longest_us.clone(), over.clone());
        let measure = move || {
            while !end.load(Ordering::Relaxed) {
                let before = Instant::now();
                std::thread::sleep(Self::STEP);
                let late = before.elapsed().saturating_sub(Self::STEP);
                longest.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        };
        Stutter { longest_us, over, thread: Some(std::thread::spawn(measure)) }
    }

    /// The longest so far.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.longest_us.load(Ordering::Relaxed))
    }
}

impl Drop for Stutter {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}
