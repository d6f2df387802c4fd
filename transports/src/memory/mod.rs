//! `memory`: links within one program.
//!
//! Members that share a [`Hub`] reach each other by name, `memory://NAME`; an empty name listens under a free
//! one. Batches change hands without being copied, and a link holds a bounded number of bytes: a sender waits for
//! a slow receiver as it would on a socket.

mod hub;
mod pipe;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tertulia::link::{Caps, Listener, Locator, RawLink, Transport, TransportCode, TransportError};

pub use hub::Hub;

/// The name of this transport in profiles, and its scheme.
pub const KIND: &str = "memory";

/// Options of this transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes that each direction of a link holds at least before its sender waits.
    pub buffer: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { buffer: 256 * 1024 }
    }
}

/// The transport between all that share `hub`.
#[must_use]
pub fn build(config: &Config, hub: &Hub) -> Arc<dyn Transport> {
    Arc::new(Memory { config: config.clone(), hub: hub.clone() })
}

struct Memory {
    config: Config,
    hub: Hub,
}

#[async_trait]
impl Transport for Memory {
    fn scheme(&self) -> &'static str {
        KIND
    }

    fn caps(&self) -> Caps {
        Caps::STREAM
    }

    async fn listen(&self, at: &Locator) -> Result<Box<dyn Listener>, TransportError> {
        check(at)?;
        Ok(Box::new(self.hub.listen(at)?))
    }

    async fn dial(&self, to: &Locator) -> Result<RawLink, TransportError> {
        check(to)?;
        let (door, from) = self.hub.door(to)?;
        let (near_tx, far_rx) = pipe::pipe(self.config.buffer);
        let (far_tx, near_rx) = pipe::pipe(self.config.buffer);
        let far = RawLink { tx: Box::new(far_tx), rx: Box::new(far_rx), remote: from };
        door.send(far).await.map_err(|_| hub::nobody(to))?;
        Ok(RawLink { tx: Box::new(near_tx), rx: Box::new(near_rx), remote: to.clone() })
    }
}

fn check(at: &Locator) -> Result<(), TransportError> {
    if at.scheme() == KIND {
        return Ok(());
    }
    Err(TransportError::new(
        TransportCode::BadAddress,
        format!("cannot use {at}"),
        format!("`{}` is not the scheme of this transport, `{KIND}`", at.scheme()),
    ))
}
