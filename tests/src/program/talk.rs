//! Members that talk at a steady pace, each on a thread of its own, until they are told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::running::Running;

/// Between two bursts.
const TICK: Duration = Duration::from_millis(5);

/// What `nick` says as its `n`th line, `len` bytes or a few more.
#[must_use]
pub fn words(nick: &str, n: u64, len: usize) -> String {
    let mut text = format!("{nick} {n} ");
    let letters = (b'a'..=b'z').cycle().skip(usize::try_from(n % 26).unwrap_or(0));
    text.extend(letters.take(len.saturating_sub(text.len())).map(char::from));
    text.trim_end().to_owned()
}

/// One member that talks.
#[derive(Debug)]
pub struct Talker {
    stop: Arc<AtomicBool>,
    said: Arc<AtomicU64>,
    least: Arc<AtomicU64>,
    /// The longest time from one burst to the next, in microseconds.
    pause: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Talker {
    /// `member` says `per_second` lines of `len` bytes each second, numbered from 1.
    #[must_use]
    pub fn start(member: &Arc<Running>, per_second: u64, len: usize) -> Talker {
        let stop = Arc::new(AtomicBool::new(false));
        let [said, least, pause] = [0; 3].map(|n| Arc::new(AtomicU64::new(n)));
        let (member, end, count, enough) = (member.clone(), stop.clone(), said.clone(), least.clone());
        let longest = pause.clone();
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            let (mut n, mut last) = (0, start);
            let mut bytes = String::new();
            while !end.load(Ordering::Acquire) || n < enough.load(Ordering::Relaxed) {
                bytes.clear();
                let due = (start.elapsed().as_micros() * u128::from(per_second)).div_ceil(1_000_000);
                while u128::from(n) < due {
                    n += 1;
                    bytes.push_str(&words(&member.name, n, len));
                    bytes.push('\n');
                }
                if !member.types(bytes.as_bytes()) {
                    // It was killed: nobody knows which of these lines it read.
                    return;
                }
                count.store(n, Ordering::Relaxed);
                let passed = std::mem::replace(&mut last, Instant::now()).elapsed();
                longest.fetch_max(u64::try_from(passed.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
                std::thread::sleep(TICK);
            }
        });
        Talker { stop, said, least, pause, thread: Some(thread) }
    }

    /// Lines said so far.
    #[must_use]
    pub fn said(&self) -> u64 {
        self.said.load(Ordering::Relaxed)
    }

    /// The longest time for which it said nothing: because it did not get to run, or was not listened to.
    #[must_use]
    pub fn pause(&self) -> Duration {
        Duration::from_micros(self.pause.load(Ordering::Relaxed))
    }

    /// Stops, not before `least` lines are said; how many there were in all.
    pub fn stop_after(mut self, least: u64) -> u64 {
        self.least.store(least, Ordering::Relaxed);
        self.stop();
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
        self.said()
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.stop();
    }
}
