//! Records over a byte stream: what makes a stream transport about a hundred lines.
//!
//! Each record stands behind its length (four bytes, little-endian). A batch goes out in one write, and one read
//! takes in whatever has arrived.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::{HEADROOM, LinkRx, LinkTx, RxBatch, TransportCode, TransportError, TxBatch};

/// Cuts the first record off a stream of records behind their lengths; `None` when it is not whole yet.
///
/// Fails as soon as its length is known to be more than `batch` allows.
pub fn cut(stream: &mut BytesMut, batch: &RxBatch) -> Result<Option<BytesMut>, TransportError> {
    let need = need(stream, batch)?;
    if stream.len() < need {
        return Ok(None);
    }
    let mut record = stream.split_to(need);
    record.advance(HEADROOM);
    Ok(Some(record))
}

/// Bytes of the first record of a stream, its length included, as far as it can be told.
fn need(stream: &BytesMut, batch: &RxBatch) -> Result<usize, TransportError> {
    let Some(prefix) = stream.first_chunk::<HEADROOM>() else { return Ok(HEADROOM) };
    let len = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
    batch.allows(len)?;
    Ok(HEADROOM + len)
}

/// The sending half over a byte stream.
#[derive(Debug)]
pub struct StreamTx<W>(W);

impl<W: AsyncWrite + Unpin + Send> StreamTx<W> {
    /// Sends over `io`.
    pub fn new(io: W) -> Self {
        StreamTx(io)
    }
}

impl<W: AsyncWrite + Unpin + Send> LinkTx for StreamTx<W> {
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut TxBatch,
    ) -> Poll<Result<usize, TransportError>> {
        let mut sent = 0;
        while !batch.is_empty() {
            match Pin::new(&mut self.0).poll_write(cx, batch.unsent()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(TransportError::closed())),
                Poll::Ready(Ok(n)) => sent += batch.advance(n),
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(TransportError::io("sending failed", &error)));
                }
                Poll::Pending if sent == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(sent))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Pin::new(&mut self.0)
            .poll_shutdown(cx)
            .map_err(|error| TransportError::io("closing the link failed", &error))
    }
}

/// The receiving half over a byte stream.
///
/// Its buffer follows the traffic: a few KiB on a quiet link, up to [`StreamRx::MAX_READ`] on a busy one, and
/// more only for a record that the batch allows.
#[derive(Debug)]
pub struct StreamRx<R> {
    io: R,
    buf: BytesMut,
    /// How much to read at once.
    chunk: usize,
    /// Reads in a row that left most of the room unused.
    idle: u8,
}

impl<R: AsyncRead + Unpin + Send> StreamRx<R> {
    /// The least room of a read.
    pub const MIN_READ: usize = 4 * 1024;
    /// The most room of a read.
    pub const MAX_READ: usize = 256 * 1024;
    const IDLE_READS: u8 = 32;

    /// Receives from `io`.
    pub fn new(io: R) -> Self {
        StreamRx { io, buf: BytesMut::new(), chunk: Self::MIN_READ, idle: 0 }
    }

    /// Moves whole records into the batch.
    fn cut_all(&mut self, batch: &mut RxBatch) -> Result<usize, TransportError> {
        let mut records = 0;
        while !batch.is_full() {
            let Some(record) = cut(&mut self.buf, batch)? else { break };
            batch.push(record)?;
            records += 1;
        }
        Ok(records)
    }

    /// Makes room for the record that is arriving and, when little is left, for a good read beyond.
    fn make_room(&mut self, need: usize) {
        if self.buf.is_empty() && self.buf.capacity() > 8 * self.chunk {
            // What a busy time left behind.
            self.buf = BytesMut::new();
        }
        let room = self.buf.capacity() - self.buf.len();
        let missing = need.saturating_sub(self.buf.len());
        if room < missing.max(self.chunk / 4).max(1) {
            self.buf.reserve(missing.max(self.chunk));
        }
    }

    fn adapt(&mut self, read: usize, room: usize) {
        if read == room {
            self.chunk = (self.chunk * 4).min(Self::MAX_READ);
            self.idle = 0;
        } else if read < self.chunk / 8 {
            self.idle += 1;
            if self.idle >= Self::IDLE_READS {
                self.chunk = (self.chunk / 2).max(Self::MIN_READ);
                self.idle = 0;
            }
        } else {
            self.idle = 0;
        }
    }
}

impl<R: AsyncRead + Unpin + Send> LinkRx for StreamRx<R> {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut RxBatch,
    ) -> Poll<Result<usize, TransportError>> {
        if batch.is_full() {
            return Poll::Ready(Ok(0));
        }
        loop {
            let records = self.cut_all(batch)?;
            if records > 0 {
                return Poll::Ready(Ok(records));
            }
            self.make_room(need(&self.buf, batch)?);
            let room = self.buf.capacity() - self.buf.len();
            let read = ready!(pin!(self.io.read_buf(&mut self.buf)).poll(cx));
            match read {
                Ok(0) if self.buf.is_empty() => return Poll::Ready(Err(TransportError::closed())),
                Ok(0) => {
                    return Poll::Ready(Err(TransportError::new(
                        TransportCode::Closed,
                        "link ended",
                        "the other side closed it in the middle of a record",
                    )));
                }
                Ok(n) => self.adapt(n, room),
                Err(error) => return Poll::Ready(Err(TransportError::io("receiving failed", &error))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    async fn receive(bytes: &[u8], step: usize) -> (Vec<Vec<u8>>, TransportError) {
        let (mut near, far) = duplex(64);
        let bytes = bytes.to_vec();
        let writer = async move {
            for part in bytes.chunks(step) {
                if near.write_all(part).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        let reader = async {
            let (mut rx, mut batch, mut got) = (StreamRx::new(far), RxBatch::new(2, 1000), Vec::new());
            loop {
                match poll_fn(|cx| rx.poll_recv(cx, &mut batch)).await {
                    Ok(_) => got.extend(std::iter::from_fn(|| batch.pop()).map(|r| r.to_vec())),
                    Err(error) => return (got, error),
                }
            }
        };
        tokio::join!(writer, reader).1
    }

    fn three() -> (Vec<Vec<u8>>, Vec<u8>) {
        let records = vec![b"one".to_vec(), vec![], vec![7; 1000]];
        let mut batch = TxBatch::new(1);
        records.iter().for_each(|r| batch.push(r));
        (records, batch.unsent().to_vec())
    }

    #[tokio::test]
    async fn records_arrive_however_the_stream_is_cut() {
        let (records, bytes) = three();
        for step in [1, 3, 4, 5, 64, 2000] {
            let (got, end) = receive(&bytes, step).await;
            assert_eq!((got, end.code()), (records.clone(), "closed"));
        }
    }

    #[tokio::test]
    async fn an_end_within_a_record_is_told_apart() {
        let (records, bytes) = three();
        let (got, end) = receive(&bytes[..bytes.len() - 1], 64).await;
        assert_eq!((&got[..], end.code()), (&records[..2], "closed"));
        assert!(end.to_string().contains("in the middle of a record"), "{end}");
    }

    #[tokio::test]
    async fn a_false_length_takes_no_memory() {
        let (far, mut near) = duplex(64);
        near.write_all(&[0xff; 64]).await.unwrap();
        let mut rx = StreamRx::new(far);
        let error = poll_fn(|cx| rx.poll_recv(cx, &mut RxBatch::new(4, 1000))).await.unwrap_err();
        assert_eq!(error.code(), "oversize");
        assert!(rx.buf.capacity() <= 2 * StreamRx::<tokio::io::DuplexStream>::MIN_READ);
    }

    #[tokio::test]
    async fn a_quiet_link_holds_little() {
        let (near, far) = duplex(1 << 20);
        let (mut tx, mut rx) = (StreamTx::new(near), StreamRx::new(far));
        let (mut batch, mut inbox) = (TxBatch::new(TxBatch::USUAL), RxBatch::new(64, 1 << 17));
        assert_eq!(rx.buf.capacity(), 0);
        for round in 0..400 {
            let records = if round < 100 { 10 } else { 1 };
            (0..records).for_each(|_| batch.push(&vec![1; if round < 100 { 60_000 } else { 60 }]));
            while !batch.is_empty() {
                poll_fn(|cx| tx.poll_send(cx, &mut batch)).await.unwrap();
            }
            let mut got = 0;
            while got < records {
                got += poll_fn(|cx| rx.poll_recv(cx, &mut inbox)).await.unwrap();
                while inbox.pop().is_some() {}
            }
            if round == 99 {
                assert_eq!(rx.chunk, StreamRx::<tokio::io::DuplexStream>::MAX_READ);
            }
        }
        assert_eq!(rx.chunk, StreamRx::<tokio::io::DuplexStream>::MIN_READ);
        assert!(rx.buf.capacity() <= 8 * rx.chunk);
    }
}
