//! How much may be under way: the congestion rule.
//!
//! A window of datagrams, judged once per round trip (a round ends when a datagram sent after its beginning is
//! acknowledged):
//!
//! - *queue*: the least of [`SAMPLES`] delays, over as many rounds as that takes, is more than [`QUEUE`] above the least
//!   delay of the path: the window shrinks to what the path holds without that queue, by a third at most. This is
//!   LEDBAT's signal (RFC 6817), taken from round trips. Fewer delays would take a path that holds up single datagrams,
//!   or a busy machine, for a queue: the smaller the window, the more often.
//! - *loss* of more than one datagram in fifty: the window shrinks by three tenths, as CUBIC's does (RFC 9438), but
//!   not below [`FLOOR`], and below that it does not hold up growth. A path that loses one datagram in five for reasons
//!   of its own, as radio does, would hold a rule that halves for every loss at two or three datagrams; a chat must get
//!   through there. The floor is about what any connection may send unasked (RFC 6928): 16 datagrams in a round trip.
//! - *silence*: nothing was acknowledged for two probe time-outs: down to [`LEAST`].
//! - else it grows: doubling per round until it first shrank, then by a sixteenth and at least one, and only while the
//!   window was used.
//!
//! So queues are kept short, bulk yields to others wherever loss or delay tells of them, and what little a chat sends
//! is not starved by loss alone. Datagrams are paced: a window is spread over its round trip, in bursts of at most
//! [`BURST`].

use std::time::Duration;

use tokio::time::Instant;

/// The window in the beginning, and where loss alone stops to shrink it.
pub(super) const FLOOR: f64 = 16.0;
/// The smallest window.
pub(super) const LEAST: f64 = 2.0;
/// The largest window. What a receiver reports reaches twice as far back.
pub(super) const MOST: f64 = 512.0;
/// Datagrams that go out at once.
pub(super) const BURST: f64 = 64.0;
/// Delay above the path's own that counts as a queue.
pub(super) const QUEUE: Duration = Duration::from_millis(20);

/// Delays of which the least tells of a queue.
const SAMPLES: u32 = 8;
/// Share of a round's datagrams that may be lost for nothing.
const LOSS: f64 = 0.02;
/// For how long the least delay of a path is believed; then it is measured anew.
const BASE: Duration = Duration::from_secs(10);
/// How much faster than a window per round trip datagrams leave.
const PACE: f64 = 1.25;
/// A round trip before any was measured.
const INITIAL: Duration = Duration::from_millis(100);
/// The shortest probe time-out: a busy machine alone may take so long.
const PROBE_MIN: Duration = Duration::from_millis(30);
const PROBE_MAX: Duration = Duration::from_secs(2);

/// The state of one direction of a link.
#[derive(Debug)]
pub(super) struct Flow {
    window: f64,
    starting: bool,
    smooth: Option<Duration>,
    variance: Duration,
    /// The least delay of this stretch of [`BASE`] and of the one before.
    base: [Option<Duration>; 2],
    base_since: Option<Instant>,
    round: Round,
    /// The least delay since the last judgement of it, and of how many.
    least: Option<Duration>,
    samples: u32,
    /// Datagrams that may leave at once.
    tokens: f64,
    filled: Option<Instant>,
}

/// What happened since the round began.
#[derive(Debug, Default)]
struct Round {
    /// It ends when this number is acknowledged.
    end: u64,
    acked: u32,
    lost: u32,
    used: bool,
}

impl Flow {
    pub(super) fn new() -> Self {
        Flow {
            window: FLOOR,
            starting: true,
            smooth: None,
            variance: Duration::ZERO,
            base: [None; 2],
            base_since: None,
            round: Round::default(),
            least: None,
            samples: 0,
            tokens: BURST,
            filled: None,
        }
    }

    /// Datagrams that may be under way.
    pub(super) fn window(&self) -> usize {
        self.window as usize
    }

    /// The round trip, smoothed.
    pub(super) fn round_trip(&self) -> Duration {
        self.smooth.unwrap_or(INITIAL)
    }

    /// How long an acknowledgement may take before it is asked for.
    pub(super) fn probe_after(&self) -> Duration {
        let rtt = self.round_trip();
        let margin = if self.smooth.is_some() { self.variance * 4 } else { rtt };
        (rtt + margin).clamp(PROBE_MIN, PROBE_MAX)
    }

    /// How many more may leave now, when `under_way` have not arrived; `Err` tells when to ask again if that is a
    /// matter of time.
    pub(super) fn quota(&mut self, now: Instant, under_way: usize) -> Result<usize, Option<Instant>> {
        let room = self.window().saturating_sub(under_way);
        if room == 0 {
            self.round.used = true;
            return Err(None);
        }
        let rate = self.window * PACE / self.round_trip().as_secs_f64().max(1e-4);
        let passed = self.filled.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.tokens = (self.tokens + passed.as_secs_f64() * rate).min(BURST);
        if self.tokens < 1.0 {
            // A few at a time: timers are no finer than a millisecond.
            let wait = Duration::from_secs_f64((8.0f64.min(self.window) / rate).min(1.0));
            return Err(Some(now + wait.max(Duration::from_millis(1))));
        }
        Ok(room.min(self.tokens as usize))
    }

    /// So many left.
    pub(super) fn sent(&mut self, count: usize) {
        self.tokens -= count as f64;
    }

    /// A datagram took so long to be acknowledged, the receiver's own delay taken off.
    pub(super) fn sample(&mut self, now: Instant, took: Duration) {
        let smooth = self.smooth.unwrap_or(took);
        let off = smooth.abs_diff(took);
        self.variance = if self.smooth.is_some() { (self.variance * 3 + off) / 4 } else { took / 2 };
        self.smooth = Some((smooth * 7 + took) / 8);
        if self.base_since.is_none_or(|since| now.saturating_duration_since(since) > BASE) {
            self.base = [None, self.base[0]];
            self.base_since = Some(now);
        }
        let least = |least: &mut Option<Duration>| *least = Some(least.map_or(took, |l| l.min(took)));
        least(&mut self.base[0]);
        least(&mut self.least);
        self.samples += 1;
    }

    /// Datagrams were acknowledged or found lost; `highest` is acknowledged and `next` is sent next.
    pub(super) fn settled(&mut self, acked: u32, lost: u32, highest: u64, next: u64) {
        self.round.acked += acked;
        self.round.lost += lost;
        if highest >= self.round.end {
            self.judge();
            self.round = Round { end: next, ..Round::default() };
        }
    }

    /// Datagrams were found lost without news of others.
    pub(super) fn lost(&mut self, count: u32) {
        self.round.lost += count;
    }

    /// Delay that a queue adds, and the delay with it, once enough samples tell.
    fn queue(&mut self) -> Option<(Duration, Duration)> {
        if self.samples < SAMPLES {
            return None;
        }
        self.samples = 0;
        let least = self.least.take()?;
        let base = self.base.iter().flatten().min()?;
        Some((least.saturating_sub(*base), least)).filter(|(queue, _)| *queue > QUEUE)
    }

    fn judge(&mut self) {
        let Round { acked, lost, used, .. } = self.round;
        let share = f64::from(lost) / f64::from((acked + lost).max(1));
        if let Some((queue, least)) = self.queue() {
            let keeps = 1.0 - queue.as_secs_f64() / least.as_secs_f64().max(1e-6);
            self.window *= keeps.max(2.0 / 3.0);
            self.starting = false;
        } else if share > LOSS && lost > 1 && self.window >= FLOOR {
            self.window = (self.window * 0.7).max(FLOOR);
            self.starting = false;
        } else if used || f64::from(acked) * 2.0 >= self.window {
            self.window += if self.starting { f64::from(acked) } else { (self.window / 16.0).max(1.0) };
        }
        self.window = self.window.clamp(LEAST, MOST);
    }

    /// Nothing is heard any more.
    pub(super) fn silence(&mut self) {
        self.window = LEAST;
        self.starting = false;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tertulia_core::rng::NodeRng;

    use super::*;

    /// A path of so many datagrams per second with a queue of so many, and a delay of its own.
    struct Path {
        rate: f64,
        queue: usize,
        delay: Duration,
        loss: f64,
    }

    struct Seen {
        /// Datagrams per second that arrived in the second half.
        arrived: f64,
        /// Share of the second half's datagrams that the queue dropped.
        dropped: f64,
        /// The median wait in the queue.
        waited: Duration,
    }

    /// Sends as much as the rule allows for so many seconds.
    fn run(path: &Path, secs: u64) -> Seen {
        let (start, step) = (Instant::now(), Duration::from_micros(200));
        let (mut flow, mut rng, mut now) = (Flow::new(), NodeRng::new(1), start);
        // When it is known what became of a datagram: number, sent at, arrived.
        let mut way: VecDeque<(Instant, u64, Instant, bool)> = VecDeque::new();
        let (mut free, mut next, mut under_way) = (start, 0u64, 0usize);
        let (mut arrived, mut dropped, mut sent, mut waits) = (0u32, 0u32, 0u32, Vec::new());
        while now < start + Duration::from_secs(secs) {
            now += step;
            let late = now > start + Duration::from_secs(secs / 2);
            let (mut acked, mut lost, mut highest) = (0, 0, None);
            while let Some((_, number, at, there)) = way.pop_front_if(|(known, ..)| *known <= now) {
                under_way -= 1;
                if there {
                    flow.sample(now, now - at);
                    (acked, highest) = (acked + 1, Some(number));
                    arrived += u32::from(late);
                } else {
                    lost += 1;
                }
            }
            if let Some(highest) = highest {
                flow.settled(acked, lost, highest, next);
            } else {
                flow.lost(lost);
            }
            while let Ok(quota) = flow.quota(now, under_way) {
                flow.sent(quota);
                for _ in 0..quota {
                    let wait = free.saturating_duration_since(now);
                    let full = wait.as_secs_f64() * path.rate > path.queue as f64;
                    let there = !full && !rng.chance(path.loss);
                    if !full {
                        free = free.max(now) + Duration::from_secs_f64(1.0 / path.rate);
                    }
                    way.push_back((now + wait + path.delay, next, now, there));
                    (next, under_way) = (next + 1, under_way + 1);
                    if late {
                        waits.push(wait);
                        (sent, dropped) = (sent + 1, dropped + u32::from(full));
                    }
                }
            }
        }
        waits.sort();
        let half = secs as f64 / 2.0;
        Seen {
            arrived: f64::from(arrived) / half,
            dropped: f64::from(dropped) / f64::from(sent),
            waited: waits[waits.len() / 2],
        }
    }

    #[test]
    fn a_slow_path_is_used_and_not_flooded() {
        let path = Path { rate: 500.0, queue: 1000, delay: Duration::from_millis(20), loss: 0.0 };
        let seen = run(&path, 20);
        assert!(seen.arrived > 450.0, "{}", seen.arrived);
        assert!(seen.waited < QUEUE * 3, "{:?} in a queue of two seconds", seen.waited);
        assert!(seen.dropped == 0.0);
    }

    #[test]
    fn a_path_with_hardly_any_queue_loses_little() {
        let path = Path { rate: 3000.0, queue: 10, delay: Duration::from_millis(20), loss: 0.0 };
        let seen = run(&path, 20);
        assert!(seen.arrived > 1500.0 && seen.dropped < 0.1, "{} {}", seen.arrived, seen.dropped);
    }

    #[test]
    fn loss_alone_does_not_starve_a_link() {
        let path = Path { rate: 1e5, queue: 1000, delay: Duration::from_millis(20), loss: 0.2 };
        let seen = run(&path, 20);
        // The floor per round trip, four fifths of it.
        assert!(seen.arrived > 500.0, "{}", seen.arrived);
        let clean = run(&Path { loss: 0.0, ..path }, 20);
        assert!(clean.arrived > 10_000.0, "{}", clean.arrived);
    }

    #[test]
    fn a_path_that_loses_and_holds_up_single_datagrams_leaves_the_window_at_its_floor() {
        let (mut flow, mut rng, now) = (Flow::new(), NodeRng::new(3), Instant::now());
        flow.silence();
        let (mut next, mut small) = (0, 0);
        for round in 0..2_000 {
            let count = flow.window() as u32;
            next += u64::from(count);
            let lost = (0..count).filter(|_| rng.chance(0.2)).count() as u32;
            // Every other datagram is acknowledged by itself; on either way one in five takes 15 ms longer.
            for _ in 0..(count - lost).div_ceil(2) {
                let held = u32::from(rng.chance(0.2)) + u32::from(rng.chance(0.2));
                flow.sample(now, Duration::from_millis(6) + Duration::from_millis(15) * held);
            }
            flow.round.used = true;
            flow.settled(count - lost, lost, next, next);
            small += u32::from(round >= 100 && flow.window() < FLOOR as usize);
        }
        assert!(small < 100, "{small} of 1900 rounds below the floor");
    }

    #[test]
    fn silence_shuts_the_window_and_probes_wait_for_the_path() {
        let mut flow = Flow::new();
        let now = Instant::now();
        assert_eq!(flow.window(), FLOOR as usize);
        flow.silence();
        assert_eq!((flow.window(), flow.quota(now, 2)), (2, Err(None)));
        for _ in 0..50 {
            flow.sample(now, Duration::from_millis(300));
        }
        assert!(flow.probe_after() >= Duration::from_millis(300) && flow.probe_after() < PROBE_MAX);
    }
}
