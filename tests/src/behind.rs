//! A transport that leaves a member no way in or out but through a proxy.

use std::sync::Arc;

use async_trait::async_trait;
use tertulia::link::{Caps, Listener, Locator, RawLink, Transport, TransportError};

use crate::proxy::Proxy;

/// Another transport, with a proxy before its listener and before every address that is dialled.
pub struct Behind {
    inner: Arc<dyn Transport>,
    proxy: Arc<Proxy>,
}

impl Behind {
    /// Listens and dials with `inner`; others dial `proxy`, and so does this side.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, proxy: Arc<Proxy>) -> Self {
        Behind { inner, proxy }
    }
}

#[async_trait]
impl Transport for Behind {
    fn scheme(&self) -> &'static str {
        self.inner.scheme()
    }

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    async fn listen(&self, at: &Locator) -> Result<Box<dyn Listener>, TransportError> {
        let inner = self.inner.listen(at).await?;
        self.proxy.aim(inner.local().rest());
        Ok(Box::new(Door { inner, known: self.proxy.locator() }))
    }

    async fn dial(&self, to: &Locator) -> Result<RawLink, TransportError> {
        self.inner.dial(&self.proxy.door(to.rest()).await).await
    }
}

struct Door {
    inner: Box<dyn Listener>,
    known: Locator,
}

#[async_trait]
impl Listener for Door {
    fn local(&self) -> Locator {
        self.known.clone()
    }

    async fn accept(&mut self) -> Result<RawLink, TransportError> {
        self.inner.accept().await
    }
}
