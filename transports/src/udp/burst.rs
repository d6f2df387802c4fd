//! Datagrams on their way to the system: many in one call.

use super::wire::{HEAD, Key, Session};

/// Control datagrams, one by one.
#[derive(Debug, Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Out {
    pub(super) fn push(&mut self, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.ends.push(self.bytes.len());
    }

    /// Appends a datagram of a link.
    pub(super) fn session(&mut self, key: &Key, to: u64, number: u64, session: &Session<'_>) {
        session.write(key, to, number, &mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Hands out the datagrams and forgets them.
    pub(super) fn drain(&mut self, mut send: impl FnMut(&[u8])) {
        let mut start = 0;
        for end in self.ends.drain(..) {
            send(self.bytes.get(start..end).unwrap_or_default());
            start = end;
        }
        self.bytes.clear();
    }
}

/// Records for one destination, as the system takes them at once: datagrams of one length, but for the last, which may be
/// shorter (UDP generic segmentation offload).
#[derive(Debug)]
pub(super) struct Burst {
    pub(super) bytes: Vec<u8>,
    /// The length of each but the last.
    pub(super) segment: usize,
    pub(super) count: usize,
    most: usize,
    full: bool,
}

impl Burst {
    /// Bytes of a burst at most: what a length field of IP holds, less its headers.
    const BYTES: usize = 65_000;

    pub(super) fn new() -> Self {
        Burst { bytes: Vec::new(), segment: 0, count: 0, most: 1, full: false }
    }

    /// Begins anew, for at most `most` datagrams.
    pub(super) fn begin(&mut self, most: usize) {
        self.bytes.clear();
        (self.segment, self.count, self.most, self.full) = (0, 0, most, false);
    }

    /// Adds a record; false when it has to go with the next burst.
    pub(super) fn add(&mut self, key: &Key, to: u64, number: u64, record: &[u8]) -> bool {
        let len = HEAD + record.len();
        let first = self.count == 0;
        if self.full || !first && (len > self.segment || self.bytes.len() + len > Self::BYTES) {
            return false;
        }
        Session::Record(record).write(key, to, number, &mut self.bytes);
        self.count += 1;
        if first {
            self.segment = len;
        }
        self.full = len < self.segment || self.count >= self.most;
        true
    }
}
