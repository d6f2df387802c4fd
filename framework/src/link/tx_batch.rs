//! Records on their way out.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, BytesMut};

/// Bytes before each record of a [`TxBatch`], filled with the record's length (little-endian).
///
/// A stream transport writes records with these prefixes as they stand in memory; a datagram transport leaves
/// them out.
pub const HEADROOM: usize = 4;

/// Records on their way out: one contiguous buffer, used again and again.
#[derive(Debug)]
pub struct TxBatch {
    buf: BytesMut,
    /// Lengths of the records not yet handed over whole.
    lens: VecDeque<usize>,
    /// Bytes of `buf` that were handed over, headroom included.
    gone: usize,
    /// Where the first record of `lens` begins (its headroom).
    front: usize,
    max: usize,
    /// Times in a row that little of the buffer was used.
    quiet: u8,
}

impl TxBatch {
    /// The usual length of a batch in bytes.
    pub const USUAL: usize = 256 * 1024;
    /// What a quiet link may keep, and after how many small batches it counts as quiet.
    const QUIET_KEEPS: usize = 16 * 1024;
    const QUIET_TIMES: u8 = 64;

    /// An empty batch that asks for no more once `max` bytes are in it. Its memory grows as it is used.
    #[must_use]
    pub fn new(max: usize) -> Self {
        TxBatch { buf: BytesMut::new(), lens: VecDeque::new(), gone: 0, front: 0, max, quiet: 0 }
    }

    /// True when another record may be added.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.buf.len() < self.max
    }

    /// True when every record was handed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lens.is_empty()
    }

    /// Records not yet handed over whole.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lens.len()
    }

    /// Begins a record of at most `capacity` bytes.
    pub fn open(&mut self, capacity: usize) -> RecordSlot<'_> {
        let start = self.buf.len();
        self.buf.reserve(HEADROOM + capacity);
        self.buf.put_bytes(0, HEADROOM);
        RecordSlot { batch: self, start, done: false }
    }

    /// Adds a whole record by copying it.
    pub fn push(&mut self, record: &[u8]) {
        let mut slot = self.open(record.len());
        slot.put(record);
        slot.finish();
    }

    /// What a stream still has to write: records behind their lengths, the first perhaps cut at its front.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        self.buf.get(self.gone..).unwrap_or_default()
    }

    /// A stream wrote `n` bytes of [`unsent`](TxBatch::unsent); returns the number of records completed by them.
    pub fn advance(&mut self, n: usize) -> usize {
        self.gone += n;
        let mut completed = 0;
        while let Some(len) = self.lens.front() {
            let end = self.front + HEADROOM + len;
            if end > self.gone {
                break;
            }
            self.front = end;
            self.lens.pop_front();
            completed += 1;
        }
        self.reset_if_empty();
        completed
    }

    /// The records without their headroom, front first, for a transport that sends them one by one.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = self.front;
        self.lens.iter().filter_map(move |len| {
            let record = self.buf.get(at + HEADROOM..at + HEADROOM + len);
            at += HEADROOM + len;
            record
        })
    }

    /// `n` records of [`records`](TxBatch::records) were sent whole.
    pub fn sent(&mut self, n: usize) {
        for len in self.lens.drain(..n.min(self.lens.len())) {
            self.front += HEADROOM + len;
        }
        self.gone = self.front;
        self.reset_if_empty();
    }

    /// Takes all records at once, each behind its length, for a transport that passes memory on. Also their number.
    pub fn take(&mut self) -> (BytesMut, usize) {
        self.buf.advance(self.gone.min(self.buf.len()));
        let bytes = self.buf.split();
        let records = self.lens.len();
        self.lens.clear();
        self.reset_if_empty();
        (bytes, records)
    }

    fn reset_if_empty(&mut self) {
        if !self.lens.is_empty() {
            return;
        }
        let little = self.buf.capacity() > Self::QUIET_KEEPS && self.buf.len() < self.buf.capacity() / 8;
        self.quiet = if little { self.quiet + 1 } else { 0 };
        if self.quiet == Self::QUIET_TIMES {
            (self.buf, self.quiet) = (BytesMut::new(), 0);
        }
        self.buf.clear();
        (self.gone, self.front) = (0, 0);
    }
}

/// A record being written at the end of a [`TxBatch`]; dropped without [`finish`](RecordSlot::finish) it leaves no trace.
#[derive(Debug)]
pub struct RecordSlot<'a> {
    batch: &'a mut TxBatch,
    start: usize,
    done: bool,
}

impl RecordSlot<'_> {
    /// Appends bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.batch.buf.extend_from_slice(bytes);
    }

    /// Appends zeros, to be written over.
    pub fn zeros(&mut self, n: usize) {
        self.batch.buf.put_bytes(0, n);
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.buf.len() - self.start - HEADROOM
    }

    /// True when nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes written so far.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.batch.buf.get_mut(self.start + HEADROOM..).unwrap_or_default()
    }

    /// Completes the record.
    pub fn finish(mut self) {
        let len = self.len();
        // A record is far below 4 GiB: its length was bounded when it was opened.
        let prefix = u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(head) = self.batch.buf.get_mut(self.start..self.start + HEADROOM) {
            head.copy_from_slice(&prefix);
        }
        self.batch.lens.push_back(len);
        self.done = true;
    }
}

impl Drop for RecordSlot<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.batch.buf.truncate(self.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> TxBatch {
        let mut batch = TxBatch::new(100);
        for record in [&b"one"[..], b"", b"three"] {
            batch.push(record);
        }
        batch
    }

    #[test]
    fn a_stream_may_stop_anywhere() {
        let whole = b"\x03\0\0\0one\0\0\0\0\x05\0\0\0three";
        for first in 0..=whole.len() {
            let mut batch = filled();
            assert_eq!(batch.unsent(), whole);
            let mut records = batch.advance(first);
            assert_eq!(batch.unsent(), &whole[first..]);
            records += batch.advance(whole.len() - first);
            assert_eq!((records, batch.is_empty(), batch.unsent().len()), (3, true, 0));
        }
    }

    #[test]
    fn records_may_go_one_by_one() {
        let mut batch = filled();
        assert_eq!(batch.records().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        batch.sent(1);
        assert_eq!(batch.records().collect::<Vec<_>>(), [&b""[..], b"three"]);
        batch.push(b"four");
        batch.sent(2);
        assert_eq!((batch.len(), batch.records().next()), (1, Some(&b"four"[..])));
        batch.sent(1);
        assert!(batch.is_empty() && batch.has_room());
    }

    #[test]
    fn memory_may_be_handed_on() {
        let mut batch = filled();
        let (bytes, records) = batch.take();
        assert_eq!((bytes.len(), records, batch.is_empty()), (20, 3, true));
        batch.push(b"next");
        assert_eq!(batch.unsent(), b"\x04\0\0\0next");
    }

    #[test]
    fn a_quiet_link_gives_memory_back() {
        let mut batch = TxBatch::new(TxBatch::USUAL);
        for len in std::iter::once(200_000).chain([10; 64]) {
            batch.push(&vec![0; len]);
            batch.sent(1);
        }
        assert!(batch.buf.capacity() < TxBatch::QUIET_KEEPS);
    }

    #[test]
    fn an_abandoned_record_leaves_no_trace() {
        let mut batch = filled();
        let mut slot = batch.open(10);
        slot.put(b"half");
        drop(slot);
        assert_eq!((batch.len(), batch.unsent().len()), (3, 20));
    }
}
