//! Records sent and received one by one.

use std::future::poll_fn;
use std::task::Poll;

use tertulia::link::{LinkRx, LinkTx, Listener, RawLink, RxBatch, TransportError, TxBatch};

use super::Subject;

/// Both ends of a new link, the dialled one first, and the listener.
pub(super) async fn link(subject: &Subject) -> Result<(RawLink, RawLink, Box<dyn Listener>), String> {
    let listener = subject.transport.listen(&subject.listen).await.map_err(|e| e.to_string())?;
    let (near, far, listener) = join(subject, listener).await?;
    Ok((near, far, listener))
}

/// Another link to a listener.
pub(super) async fn join(
    subject: &Subject,
    mut listener: Box<dyn Listener>,
) -> Result<(RawLink, RawLink, Box<dyn Listener>), String> {
    let local = listener.local();
    let (near, far) = tokio::join!(subject.transport.dial(&local), listener.accept());
    Ok((near.map_err(|e| e.to_string())?, far.map_err(|e| e.to_string())?, listener))
}

/// Bytes that tell one record from another.
pub(super) fn text(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + number * 13 + (i >> 8)) as u8).collect()
}

/// Sends all of a batch.
pub(super) async fn flush(tx: &mut dyn LinkTx, batch: &mut TxBatch) -> Result<usize, TransportError> {
    let mut sent = 0;
    while !batch.is_empty() {
        sent += poll_fn(|cx| tx.poll_send(cx, batch)).await?;
    }
    Ok(sent)
}

/// Sends a batch if it can be sent at once; false when the sender has to wait.
pub(super) async fn try_flush(tx: &mut dyn LinkTx, batch: &mut TxBatch) -> Result<bool, TransportError> {
    let once = poll_fn(|cx| Poll::Ready(tx.poll_send(cx, batch)));
    match once.await {
        Poll::Ready(result) => result.map(|_| true),
        Poll::Pending => Ok(false),
    }
}

/// Sends one record.
pub(super) async fn send(tx: &mut dyn LinkTx, record: &[u8]) -> Result<(), TransportError> {
    let mut batch = TxBatch::new(TxBatch::USUAL);
    batch.push(record);
    flush(tx, &mut batch).await.map(drop)
}

/// Ends the sending direction.
pub(super) async fn close(tx: &mut dyn LinkTx) -> Result<(), TransportError> {
    poll_fn(|cx| tx.poll_close(cx)).await
}

/// Receives at least one record.
pub(super) async fn fill(rx: &mut dyn LinkRx, batch: &mut RxBatch) -> Result<(), TransportError> {
    while batch.is_empty() {
        poll_fn(|cx| rx.poll_recv(cx, batch)).await?;
    }
    Ok(())
}

/// Checks that records `numbers` of `len` bytes each arrive, in order.
pub(super) async fn expect(
    rx: &mut dyn LinkRx,
    batch: &mut RxBatch,
    numbers: std::ops::Range<usize>,
    len: impl Fn(usize) -> usize,
) -> Result<(), String> {
    for number in numbers {
        fill(rx, batch).await.map_err(|e| format!("record {number} did not arrive: {e}"))?;
        let record = batch.pop().unwrap_or_default();
        let expected = text(number, len(number));
        if record[..] != expected[..] {
            return Err(format!(
                "record {number} of {} bytes arrived as another of {} bytes",
                expected.len(),
                record.len()
            ));
        }
    }
    Ok(())
}
