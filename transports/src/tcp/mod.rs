//! `tcp`: one connection per link.
//!
//! Locators are `tcp://HOST:PORT`, where HOST is a name, an IPv4 address or an IPv6 address in brackets. Port 0
//! listens on a free port. A listener on a wildcard address makes known an address that others can dial:
//! `advertise` when it is set, else the address through which this machine reaches the outside.

mod address;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tertulia::link::stream::{StreamRx, StreamTx};
use tertulia::link::{Caps, Listener, Locator, RawLink, Transport, TransportCode, TransportError};
use tokio::net::{TcpListener, TcpStream};

use address::{dialable, resolve};

/// The name of this transport in profiles, and its scheme.
pub const KIND: &str = "tcp";

/// Options of this transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `HOST` or `HOST:PORT` to make known instead of the bound address, for machines behind a forwarded port.
    pub advertise: Option<String>,
    /// Send at once rather than wait for more to send. Records are batches already: leave it on.
    pub nodelay: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config { advertise: None, nodelay: true }
    }
}

/// The transport.
#[must_use]
pub fn build(config: &Config) -> Arc<dyn Transport> {
    Arc::new(Tcp { config: config.clone() })
}

struct Tcp {
    config: Config,
}

#[async_trait]
impl Transport for Tcp {
    fn scheme(&self) -> &'static str {
        KIND
    }

    fn caps(&self) -> Caps {
        Caps::STREAM
    }

    async fn listen(&self, at: &Locator) -> Result<Box<dyn Listener>, TransportError> {
        let addresses = resolve(at, "listen on").await?;
        let failed = |error| TransportError::io(format!("cannot listen on {at}"), &error);
        let listener = TcpListener::bind(&addresses[..]).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let local = dialable(bound, self.config.advertise.as_deref())?;
        Ok(Box::new(TcpAccept { listener, local, nodelay: self.config.nodelay }))
    }

    async fn dial(&self, to: &Locator) -> Result<RawLink, TransportError> {
        let addresses = resolve(to, "dial").await?;
        if addresses.iter().all(|a| a.port() == 0) {
            return Err(TransportError::new(
                TransportCode::BadAddress,
                format!("cannot dial {to}"),
                "port 0 is no one's address",
            ));
        }
        let stream = TcpStream::connect(&addresses[..]).await;
        let stream = stream.map_err(|error| TransportError::io(format!("cannot dial {to}"), &error))?;
        link(stream, to.clone(), self.config.nodelay)
    }
}

struct TcpAccept {
    listener: TcpListener,
    local: Locator,
    nodelay: bool,
}

#[async_trait]
impl Listener for TcpAccept {
    fn local(&self) -> Locator {
        self.local.clone()
    }

    async fn accept(&mut self) -> Result<RawLink, TransportError> {
        let failed = |error| TransportError::io("cannot accept a connection", &error);
        let (stream, from) = self.listener.accept().await.map_err(failed)?;
        link(stream, locator(from)?, self.nodelay)
    }
}

fn link(stream: TcpStream, remote: Locator, nodelay: bool) -> Result<RawLink, TransportError> {
    let option = stream.set_nodelay(nodelay);
    option.map_err(|error| TransportError::io(format!("connection with {remote} failed"), &error))?;
    let (rx, tx) = stream.into_split();
    Ok(RawLink { tx: Box::new(StreamTx::new(tx)), rx: Box::new(StreamRx::new(rx)), remote })
}

fn locator(address: SocketAddr) -> Result<Locator, TransportError> {
    Locator::new(KIND, &address.to_string()).map_err(|error| {
        TransportError::new(TransportCode::BadAddress, "cannot name an address", error.to_string())
    })
}
