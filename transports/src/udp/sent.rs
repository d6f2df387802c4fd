//! Datagrams under way: what was acknowledged, what is lost, what goes out again.
//!
//! A datagram is lost when one that was sent later has arrived and a round trip and a quarter has passed (RACK,
//! RFC 8985): a path may reorder by a quarter of a round trip for nothing. A lost record is sent again `resend` times, as
//! it was sealed, under a new number. That is no promise, and holds nobody up: records that follow do not wait for it.
//! It is there for frames that are longer than a datagram, which arrive whole or not at all: of 57 datagrams, a parcel
//! of 64 KiB, all arrive once in twenty times when one in twenty is lost, and never when one in five is. What is still
//! missing after that is the delivery layer's to repair, parcel by parcel.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::flow::Flow;
use super::seen::Report;

/// What a datagram carried.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cargo {
    /// A record, kept for as long as it may be sent again.
    Record { bytes: Vec<u8>, tries: u8 },
    /// Nothing that is worth another try.
    Nothing,
    /// The end of this direction.
    Fin,
}

#[derive(Debug)]
struct Flight {
    number: u64,
    at: Instant,
    cargo: Cargo,
    done: bool,
}

/// What a report settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) acked: u32,
    pub(super) lost: u32,
    /// The end of this direction arrived.
    pub(super) fin: bool,
}

/// All datagrams of one direction that are not settled.
#[derive(Debug)]
pub(super) struct Sent {
    flights: VecDeque<Flight>,
    open: usize,
    /// Records to be sent again, and how often they were already.
    again: VecDeque<(Vec<u8>, u8)>,
    /// Memory to be used again.
    spare: Vec<Vec<u8>>,
    resend: u8,
    next: u64,
    /// The highest number that arrived, and when it was sent.
    highest: Option<(u64, Instant)>,
}

impl Sent {
    /// Buffers kept for the next records while the link is busy: a full window.
    const SPARE: usize = 512;

    pub(super) fn new(resend: u8) -> Self {
        Sent {
            flights: VecDeque::new(),
            open: 0,
            again: VecDeque::new(),
            spare: Vec::new(),
            resend,
            next: 0,
            highest: None,
        }
    }

    /// The number of the next datagram.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Datagrams that are not settled.
    pub(super) fn under_way(&self) -> usize {
        self.open
    }

    /// True when neither anything is under way nor waits to be sent again.
    pub(super) fn is_idle(&self) -> bool {
        self.open == 0 && self.again.is_empty()
    }

    /// Records that wait to be sent again.
    pub(super) fn again(&self) -> impl Iterator<Item = &[u8]> {
        self.again.iter().map(|(bytes, _)| &bytes[..])
    }

    /// True when any waits.
    pub(super) fn has_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// The oldest record that waited to be sent again left.
    pub(super) fn resent(&mut self, now: Instant) {
        if let Some((bytes, tries)) = self.again.pop_front() {
            self.push(now, Cargo::Record { bytes, tries });
        }
    }

    /// A record left for the first time.
    pub(super) fn record(&mut self, now: Instant, record: &[u8]) {
        let cargo = if self.resend == 0 {
            Cargo::Nothing
        } else {
            let mut bytes = self.spare.pop().unwrap_or_default();
            bytes.clear();
            bytes.extend_from_slice(record);
            Cargo::Record { bytes, tries: 0 }
        };
        self.push(now, cargo);
    }

    /// A datagram left.
    pub(super) fn push(&mut self, now: Instant, cargo: Cargo) {
        self.flights.push_back(Flight { number: self.next, at: now, cargo, done: false });
        self.open += 1;
        self.next += 1;
    }

    /// The other end told what arrived.
    pub(super) fn report(&mut self, now: Instant, report: &Report, flow: &mut Flow) -> Settled {
        let mut settled = Settled::default();
        if report.highest >= self.next {
            return settled;
        }
        for at in 0..self.flights.len() {
            let Some(flight) = self.flights.get_mut(at).filter(|f| f.number <= report.highest) else { break };
            if flight.done || !report.has(flight.number) {
                continue;
            }
            flight.done = true;
            self.open -= 1;
            settled.acked += 1;
            if flight.number == report.highest {
                let held = Duration::from_micros(report.delay_us.into());
                flow.sample(now, now.saturating_duration_since(flight.at).saturating_sub(held));
            }
            if self.highest.is_none_or(|(highest, _)| flight.number > highest) {
                self.highest = Some((flight.number, flight.at));
            }
            match std::mem::replace(&mut flight.cargo, Cargo::Nothing) {
                Cargo::Record { bytes, .. } => self.keep(bytes),
                Cargo::Fin => settled.fin = true,
                Cargo::Nothing => {}
            }
        }
        settled.lost = self.find_lost(now, flow.round_trip());
        if let Some((highest, _)) = self.highest {
            flow.settled(settled.acked, settled.lost, highest, self.next);
        }
        settled
    }

    /// When the next datagram will be known to be lost.
    pub(super) fn lost_at(&self, round_trip: Duration) -> Option<Instant> {
        let (highest, _) = self.highest?;
        let first = self.flights.front().filter(|f| f.number < highest)?;
        Some(first.at + patience(round_trip))
    }

    /// Gives up what was overtaken a while ago. How many records that were.
    pub(super) fn find_lost(&mut self, now: Instant, round_trip: Duration) -> u32 {
        let highest = self.highest.map_or(0, |(highest, _)| highest);
        let late = |f: &Flight| f.number < highest && f.at + patience(round_trip) <= now;
        let mut lost = 0;
        for at in 0..self.flights.len() {
            let Some(flight) = self.flights.get_mut(at).filter(|f| late(f)) else { break };
            if !flight.done {
                lost += 1;
                self.lose(at);
            }
        }
        self.settle();
        lost
    }

    /// Nothing is heard any more: all that is under way is lost.
    pub(super) fn lose_all(&mut self) {
        for at in 0..self.flights.len() {
            if self.flights.get(at).is_some_and(|f| !f.done) {
                self.lose(at);
            }
        }
        self.settle();
    }

    /// True while the end of this direction is under way.
    pub(super) fn has_fin(&self) -> bool {
        self.flights.iter().any(|f| f.cargo == Cargo::Fin)
    }

    /// Gives memory back: the link is quiet.
    pub(super) fn rest(&mut self) {
        self.spare = Vec::new();
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        (self.flights, self.again, self.spare, self.open) = Default::default();
    }

    fn lose(&mut self, at: usize) {
        let Some(flight) = self.flights.get_mut(at) else { return };
        flight.done = true;
        self.open -= 1;
        if let Cargo::Record { bytes, tries } = std::mem::replace(&mut flight.cargo, Cargo::Nothing) {
            if tries < self.resend {
                self.again.push_back((bytes, tries + 1));
            } else {
                self.keep(bytes);
            }
        }
    }

    fn settle(&mut self) {
        while self.flights.pop_front_if(|f| f.done).is_some() {}
    }

    fn keep(&mut self, bytes: Vec<u8>) {
        if self.spare.len() < Self::SPARE {
            self.spare.push(bytes);
        }
    }
}

/// How long a datagram may be overtaken.
fn patience(round_trip: Duration) -> Duration {
    round_trip * 5 / 4 + Duration::from_millis(1)
}

#[cfg(test)]
mod tests {
    use super::super::seen::Seen;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn eight(resend: u8) -> (Sent, Flow, Instant) {
        let (mut sent, now) = (Sent::new(resend), Instant::now());
        (0..8u8).for_each(|n| sent.record(now, &[n; 3]));
        (sent, Flow::new(), now)
    }

    fn report(numbers: &[u64]) -> Report {
        let mut seen = Seen::new();
        numbers.iter().for_each(|n| assert!(seen.note(*n)));
        seen.report(0, 0)
    }

    #[test]
    fn what_was_overtaken_for_a_round_trip_is_sent_again() {
        let (mut sent, mut flow, now) = eight(1);
        let first = sent.report(now + MS, &report(&[0, 1, 3, 4, 6]), &mut flow);
        assert_eq!(first, Settled { acked: 5, lost: 0, fin: false });
        let due = sent.lost_at(flow.round_trip()).unwrap();
        assert_eq!(due, now + flow.round_trip() * 5 / 4 + MS);
        assert_eq!(sent.find_lost(due - MS / 2, flow.round_trip()), 0);
        // 7 was not overtaken by anything.
        assert_eq!(sent.find_lost(due, flow.round_trip()), 2);
        assert_eq!(sent.again().collect::<Vec<_>>(), [[2; 3], [5; 3]]);
        assert_eq!(sent.under_way(), 1);
        sent.resent(due);
        sent.resent(due);
        assert_eq!((sent.under_way(), sent.next(), sent.has_again()), (3, 10, false));
        // A second loss is the last.
        let again = sent.report(due + MS, &report(&[0, 1, 3, 4, 6, 7, 8]), &mut flow);
        assert_eq!((again.acked, again.lost), (2, 0));
        sent.lose_all();
        assert!(sent.is_idle());
    }

    #[test]
    fn without_resending_nothing_is_kept() {
        let (mut sent, mut flow, now) = eight(0);
        sent.report(now + MS, &report(&[7]), &mut flow);
        assert_eq!(sent.find_lost(now + MS * 500, flow.round_trip()), 7);
        assert!(sent.is_idle() && sent.spare.is_empty());
    }

    #[test]
    fn reports_of_what_was_not_sent_say_nothing() {
        let (mut sent, mut flow, now) = eight(1);
        assert_eq!(sent.report(now, &report(&[8]), &mut flow), Settled::default());
        assert_eq!(sent.under_way(), 8);
        sent.push(now, Cargo::Fin);
        assert!(sent.has_fin());
        assert!(sent.report(now, &report(&[8]), &mut flow).fin && !sent.has_fin());
    }
}
