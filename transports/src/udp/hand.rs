//! The messages of a handshake: they arrive once and in order, or the handshake fails.
//!
//! Each is numbered, acknowledged and repeated until it is. They are not authenticated by this transport: whoever
//! forges one has to know the link's id, and spoils a handshake at most, as the crypto suite will find.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::burst::Out;
use super::wire;

/// The first pause before a message is repeated; it grows by half each time.
const REPEAT: Duration = Duration::from_millis(100);
/// Repetitions until the other side is given up.
const REPEATS: u32 = 12;
/// Messages that wait in either direction. The longest handshake has four in one.
const WAITING: usize = 8;

/// Both directions.
#[derive(Debug, Default)]
pub(super) struct Hand {
    /// Sent and not acknowledged; `None` is the end.
    out: VecDeque<(u8, Option<Vec<u8>>)>,
    next_out: u8,
    repeat_at: Option<Instant>,
    repeats: u32,
    arrived: VecDeque<Vec<u8>>,
    next_in: u8,
    /// The other side sends no more, and will not become a link.
    pub(super) ended: bool,
}

impl Hand {
    /// Sends a message, or the end; false when too many wait already.
    pub(super) fn send(&mut self, now: Instant, there: u64, message: Option<&[u8]>, out: &mut Out) -> bool {
        if self.out.len() >= WAITING || self.next_out == u8::MAX {
            return false;
        }
        out.push(&wire::hand(there, self.next_out, message));
        self.out.push_back((self.next_out, message.map(<[u8]>::to_vec)));
        self.next_out += 1;
        self.repeats = 0;
        self.repeat_at.get_or_insert(now + REPEAT);
        true
    }

    /// A message arrived, or the end; true when it is new.
    pub(super) fn receive(&mut self, there: u64, number: u8, message: Option<&[u8]>, out: &mut Out) -> bool {
        if number > self.next_in || number == self.next_in && self.arrived.len() >= WAITING {
            return false;
        }
        out.push(&wire::heard(there, number));
        if number < self.next_in || self.ended {
            return false;
        }
        self.next_in = self.next_in.saturating_add(1);
        match message {
            Some(message) => self.arrived.push_back(message.to_vec()),
            None => self.ended = true,
        }
        true
    }

    /// The other side has a message.
    pub(super) fn heard(&mut self, number: u8) {
        self.out.retain(|(n, _)| *n != number);
        if self.out.is_empty() {
            self.repeat_at = None;
        }
    }

    /// The next message that arrived.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        self.arrived.pop_front()
    }

    /// Nobody reads any more.
    pub(super) fn drop_arrived(&mut self) {
        self.arrived = VecDeque::new();
    }

    /// True when a message waits to be read.
    pub(super) fn has_arrived(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// True when everything sent was acknowledged or given up.
    pub(super) fn is_idle(&self) -> bool {
        self.repeat_at.is_none()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.repeat_at
    }

    /// Repeats what is due.
    pub(super) fn on_deadline(&mut self, now: Instant, there: u64, out: &mut Out) {
        if self.repeat_at.is_none_or(|at| at > now) {
            return;
        }
        self.repeats += 1;
        if self.repeats > REPEATS {
            self.out.clear();
            self.repeat_at = None;
            return;
        }
        for (number, message) in &self.out {
            out.push(&wire::hand(there, *number, message.as_deref()));
        }
        self.repeat_at = Some(now + (REPEAT * 3u32.pow(self.repeats.min(4)) / 2u32.pow(self.repeats.min(4))));
    }
}
