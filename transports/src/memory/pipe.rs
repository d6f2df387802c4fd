//! One direction of a link: batches that change hands.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tertulia::link::stream::cut;
use tertulia::link::{LinkRx, LinkTx, RxBatch, TransportError, TxBatch};

/// What both ends share. The lock is held for a few moves of pointers.
#[derive(Default)]
struct Shared {
    batches: VecDeque<BytesMut>,
    held: usize,
    limit: usize,
    ended: bool,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

/// A pipe that makes its sender wait once `limit` bytes are in it.
pub(super) fn pipe(limit: usize) -> (PipeTx, PipeRx) {
    let shared = Arc::new(Mutex::new(Shared { limit, ..Shared::default() }));
    (PipeTx(shared.clone()), PipeRx { shared, open: BytesMut::new() })
}

fn with<T>(shared: &Mutex<Shared>, f: impl FnOnce(&mut Shared) -> T) -> T {
    // Whole between any two statements: a panic elsewhere does not spoil it.
    f(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

fn end(shared: &Mutex<Shared>) {
    let (receiver, sender) = with(shared, |s| {
        s.ended = true;
        (s.receiver.take(), s.sender.take())
    });
    receiver.into_iter().chain(sender).for_each(Waker::wake);
}

/// The sending end.
pub(super) struct PipeTx(Arc<Mutex<Shared>>);

impl LinkTx for PipeTx {
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut TxBatch,
    ) -> Poll<Result<usize, TransportError>> {
        if batch.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let (result, wake) = with(&self.0, |s| {
            if s.ended {
                return (Poll::Ready(Err(TransportError::closed())), None);
            }
            if s.held >= s.limit {
                s.sender = Some(cx.waker().clone());
                return (Poll::Pending, None);
            }
            let (bytes, records) = batch.take();
            s.held += bytes.len();
            s.batches.push_back(bytes);
            (Poll::Ready(Ok(records)), s.receiver.take())
        });
        wake.into_iter().for_each(Waker::wake);
        result
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        end(&self.0);
        Poll::Ready(Ok(()))
    }
}

impl Drop for PipeTx {
    fn drop(&mut self) {
        end(&self.0);
    }
}

/// The receiving end.
pub(super) struct PipeRx {
    shared: Arc<Mutex<Shared>>,
    /// The batch whose records are being handed out.
    open: BytesMut,
}

impl LinkRx for PipeRx {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut RxBatch,
    ) -> Poll<Result<usize, TransportError>> {
        let mut records = 0;
        while !batch.is_full() {
            if let Some(record) = cut(&mut self.open, batch)? {
                batch.push(record)?;
                records += 1;
                continue;
            }
            let (next, wake) = with(&self.shared, |s| {
                let Some(next) = s.batches.pop_front() else {
                    // What came before the end is read before the end is seen.
                    if records == 0 && !s.ended {
                        s.receiver = Some(cx.waker().clone());
                    }
                    return (Err(s.ended), None);
                };
                s.held -= next.len();
                (Ok(next), s.sender.take())
            });
            wake.into_iter().for_each(Waker::wake);
            match next {
                Ok(next) => self.open = next,
                Err(_) if records > 0 => break,
                Err(true) => return Poll::Ready(Err(TransportError::closed())),
                Err(false) => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(records))
    }
}

impl Drop for PipeRx {
    fn drop(&mut self) {
        end(&self.shared);
    }
}
