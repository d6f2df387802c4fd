//! A transport that freezes, as when the system stops a program: its connections stay open, new ones are taken by the
//! system, and nothing is ever read or written.

use std::any::Any;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use parking_lot::Mutex;
use tertulia::link::{
    Caps, LinkRx, LinkTx, Listener, Locator, RawLink, RxBatch, Transport, TransportError, TxBatch,
};

/// What freezes the transports that were made with it.
#[derive(Clone, Default)]
pub(super) struct Ice {
    frozen: Arc<AtomicBool>,
    /// Ends of links that stay open.
    kept: Arc<Mutex<Vec<Box<dyn Any + Send>>>>,
}

impl Ice {
    pub(super) fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
    }

    fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    /// The same transport, which this can freeze.
    pub(super) fn around(&self, inner: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(Freezing { inner, ice: self.clone() })
    }

    fn link(&self, raw: RawLink) -> RawLink {
        let tx = Box::new(Half { inner: Some(raw.tx), ice: self.clone() });
        let rx = Box::new(Half { inner: Some(raw.rx), ice: self.clone() });
        RawLink { tx, rx, remote: raw.remote }
    }
}

struct Freezing {
    inner: Arc<dyn Transport>,
    ice: Ice,
}

#[async_trait]
impl Transport for Freezing {
    fn scheme(&self) -> &'static str {
        self.inner.scheme()
    }
    fn caps(&self) -> Caps {
        self.inner.caps()
    }
    async fn listen(&self, at: &Locator) -> Result<Box<dyn Listener>, TransportError> {
        Ok(Box::new(Door { inner: self.inner.listen(at).await?, ice: self.ice.clone() }))
    }
    async fn dial(&self, to: &Locator) -> Result<RawLink, TransportError> {
        if self.ice.is_frozen() {
            pending::<()>().await;
        }
        Ok(self.ice.link(self.inner.dial(to).await?))
    }
}

struct Door {
    inner: Box<dyn Listener>,
    ice: Ice,
}

#[async_trait]
impl Listener for Door {
    fn local(&self) -> Locator {
        self.inner.local()
    }
    async fn accept(&mut self) -> Result<RawLink, TransportError> {
        let raw = self.ice.link(self.inner.accept().await?);
        if self.ice.is_frozen() {
            pending::<()>().await;
        }
        Ok(raw)
    }
}

/// Half of a link.
struct Half<T: Send + 'static> {
    inner: Option<T>,
    ice: Ice,
}

impl<T: Send + 'static> Half<T> {
    fn awake(&mut self) -> Option<&mut T> {
        self.inner.as_mut().filter(|_| !self.ice.is_frozen())
    }
}

impl<T: Send + 'static> Drop for Half<T> {
    fn drop(&mut self) {
        if self.ice.is_frozen() {
            self.ice.kept.lock().extend(self.inner.take().map(|half| Box::new(half) as _));
        }
    }
}

impl LinkTx for Half<Box<dyn LinkTx>> {
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut TxBatch,
    ) -> Poll<Result<usize, TransportError>> {
        self.awake().map_or(Poll::Pending, |tx| tx.poll_send(cx, batch))
    }
    fn established(&mut self, key: &[u8; 32]) {
        self.awake().into_iter().for_each(|tx| tx.established(key));
    }
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.awake().map_or(Poll::Pending, |tx| tx.poll_close(cx))
    }
}

impl LinkRx for Half<Box<dyn LinkRx>> {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut RxBatch,
    ) -> Poll<Result<usize, TransportError>> {
        self.awake().map_or(Poll::Pending, |rx| rx.poll_recv(cx, batch))
    }
}
