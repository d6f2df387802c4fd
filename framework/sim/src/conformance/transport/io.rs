//! Records sent and received one by one.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tertulia::link::{LinkRx, LinkTx, Listener, RawLink, RxBatch, TransportError, TxBatch};

use tokio::time::timeout;

use super::Subject;

/// What both ends of a link know after a handshake.
pub(super) const KEY: [u8; 32] = [7; 32];
/// After this, what was not answered was lost.
const QUIET: Duration = Duration::from_secs(1);

/// Both ends of a new link, the dialled one first, and the listener.
pub(super) async fn link(subject: &Subject) -> Result<(RawLink, RawLink, Box<dyn Listener>), String> {
    let listener = subject.transport.listen(&subject.listen).await.map_err(|e| e.to_string())?;
    let (mut near, mut far, listener) = join(subject, listener).await?;
    near.tx.established(&KEY);
    far.tx.established(&KEY);
    Ok((near, far, listener))
}

/// Another link, before its handshake, to a listener.
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

/// Checks that records `numbers` of `len` bytes each arrive as the transport promises.
pub(super) async fn expect(
    subject: &Subject,
    rx: &mut dyn LinkRx,
    batch: &mut RxBatch,
    numbers: std::ops::Range<usize>,
    len: impl Fn(usize) -> usize,
) -> Result<(), String> {
    if subject.transport.caps().is_stream() {
        return in_order(rx, batch, numbers, len).await;
    }
    let all = numbers.len();
    let missing = any_order(rx, batch, numbers, len).await?;
    if missing * 10 > all { Err(format!("of {all} records {missing} never arrived")) } else { Ok(()) }
}

/// Sends a record until it comes back: once on a stream.
pub(super) async fn ask(
    subject: &Subject,
    link: &mut RawLink,
    batch: &mut RxBatch,
    number: usize,
    size: usize,
) -> Result<(), String> {
    let mut tries = if subject.transport.caps().is_stream() { 1 } else { 5 };
    loop {
        send(&mut *link.tx, &text(number, size)).await.map_err(|e| e.to_string())?;
        tries -= 1;
        match expect(subject, &mut *link.rx, batch, number..number + 1, |_| size).await {
            Err(_) if tries > 0 => {}
            done => return done,
        }
    }
}

/// Checks that nothing but records `numbers` arrives, until all are there or nothing more comes. How many are missing.
pub(super) async fn any_order(
    rx: &mut dyn LinkRx,
    batch: &mut RxBatch,
    numbers: std::ops::Range<usize>,
    len: impl Fn(usize) -> usize,
) -> Result<usize, String> {
    let mut expected: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for number in numbers.clone() {
        *expected.entry(text(number, len(number))).or_default() += 1;
    }
    let mut missing = numbers.len();
    while missing > 0 {
        match timeout(QUIET, fill(rx, batch)).await {
            Err(_) | Ok(Err(_)) => break,
            Ok(Ok(())) => {}
        }
        while let Some(record) = batch.pop() {
            let known = expected.get_mut(&record[..]);
            let count = known.ok_or_else(|| format!("{} bytes arrived that nobody sent", record.len()))?;
            missing -= usize::from(*count > 0);
            *count = count.saturating_sub(1);
        }
    }
    Ok(missing)
}

/// Checks that records `numbers` of `len` bytes each arrive, in order.
pub(super) async fn in_order(
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
