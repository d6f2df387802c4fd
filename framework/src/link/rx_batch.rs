//! Records that arrived.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::TransportError;

/// Records that arrived, still sealed, bounded in number, in length and together.
#[derive(Debug)]
pub struct RxBatch {
    records: VecDeque<BytesMut>,
    bytes: usize,
    max_records: usize,
    max_record: usize,
}

impl RxBatch {
    /// Bytes after which a batch counts as full.
    const MAX_BYTES: usize = 512 * 1024;

    /// An empty batch for at most `max_records` records of at most `max_record` bytes each.
    #[must_use]
    pub fn new(max_records: usize, max_record: usize) -> Self {
        RxBatch { records: VecDeque::with_capacity(max_records), bytes: 0, max_records, max_record }
    }

    /// The longest record that is taken.
    #[must_use]
    pub fn max_record(&self) -> usize {
        self.max_record
    }

    /// True when no record may be added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.records.len() >= self.max_records || self.bytes >= Self::MAX_BYTES
    }

    /// Fails when a record of `len` bytes is too long for this batch. Ask before taking memory for it.
    pub fn allows(&self, len: usize) -> Result<(), TransportError> {
        if len > self.max_record { Err(TransportError::oversize(len, self.max_record)) } else { Ok(()) }
    }

    /// Adds a record that [`allows`](RxBatch::allows) let pass. A full batch takes no more: check first.
    pub fn push(&mut self, record: BytesMut) -> Result<(), TransportError> {
        self.allows(record.len())?;
        self.bytes += record.len();
        self.records.push_back(record);
        Ok(())
    }

    /// The oldest record.
    pub fn pop(&mut self) -> Option<BytesMut> {
        let record = self.records.pop_front()?;
        self.bytes -= record.len();
        Some(record)
    }

    /// Records at hand.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True when none is at hand.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inbox_is_bounded() {
        let mut inbox = RxBatch::new(2, 3);
        assert!(inbox.push(BytesMut::from(&b"four"[..])).is_err());
        inbox.push(BytesMut::from(&b"one"[..])).unwrap();
        inbox.push(BytesMut::new()).unwrap();
        assert!(inbox.is_full());
        assert_eq!(inbox.pop().as_deref(), Some(&b"one"[..]));
        assert!(!inbox.is_full() && inbox.len() == 1);
    }
}
