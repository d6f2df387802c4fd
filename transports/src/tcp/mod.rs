//! `tcp`: one connection per link.
//!
//! Locators are `tcp://HOST:PORT`, where HOST is a name, an IPv4 address or an IPv6 address in brackets. Port 0
//! listens on a free port. A listener on a wildcard address makes known an address that others can dial:
//! `advertise` when it is set, else the address through which this machine reaches the outside.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tertulia::link::stream::{StreamRx, StreamTx};
use tertulia::link::{Caps, Listener, Locator, RawLink, Transport, TransportError};
use tokio::net::{TcpListener, TcpStream};

pub use crate::option::BadOption;

use crate::address::{check_advertise, check_dial, dialable, locator, resolve};

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

impl Config {
    /// Checks that others can dial what is made known.
    ///
    /// # Errors
    /// The option that is wrong.
    pub fn check(&self) -> Result<(), BadOption> {
        check_advertise(KIND, self.advertise.as_deref())
    }
}

/// The transport.
///
/// # Errors
/// An option out of range.
pub fn build(config: &Config) -> Result<Arc<dyn Transport>, BadOption> {
    config.check()?;
    Ok(Arc::new(Tcp { config: config.clone() }))
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

    fn check_dial(&self, to: &Locator) -> Result<(), TransportError> {
        check_dial(KIND, to)
    }

    async fn listen(&self, at: &Locator) -> Result<Box<dyn Listener>, TransportError> {
        let addresses = resolve(KIND, at, "listen on").await?;
        let failed = |error| TransportError::io(format!("cannot listen on {at}"), &error);
        let listener = TcpListener::bind(&addresses[..]).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let local = dialable(KIND, bound, self.config.advertise.as_deref())?;
        Ok(Box::new(TcpAccept { listener, local, nodelay: self.config.nodelay }))
    }

    async fn dial(&self, to: &Locator) -> Result<RawLink, TransportError> {
        self.check_dial(to)?;
        let addresses = resolve(KIND, to, "dial").await?;
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
        link(stream, locator(KIND, from)?, self.nodelay)
    }
}

fn link(stream: TcpStream, remote: Locator, nodelay: bool) -> Result<RawLink, TransportError> {
    let option = stream.set_nodelay(nodelay);
    option.map_err(|error| TransportError::io(format!("connection with {remote} failed"), &error))?;
    let (rx, tx) = stream.into_split();
    Ok(RawLink { tx: Box::new(StreamTx::new(tx)), rx: Box::new(StreamRx::new(rx)), remote })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_be_dialled_is_known_without_trying() {
        let tcp = build(&Config::default()).unwrap();
        let check = |text: &str| tcp.check_dial(&Locator::parse_or(KIND, text).unwrap());
        for good in ["127.0.0.1:1", "[::1]:1", "[fe80::1%eth0]:1", "example.org:4711", "my_host:1"] {
            check(good).unwrap();
        }
        for bad in ["udp://1.2.3.4:5", "127.0.0.1:0", "[::1", "[::1:5", "::1:5", "host", ":5", "host:99999"] {
            assert_eq!(check(bad).unwrap_err().code(), "bad-address", "{bad}");
        }
    }

    #[test]
    fn options_are_checked() {
        let check = |text: &str| Config { advertise: Some(text.into()), ..Config::default() }.check();
        check("example.org").unwrap();
        assert!(check("0.0.0.0:1").unwrap_err().reason.starts_with("`0.0.0.0` stands for every"));
        Config::default().check().unwrap();
    }
}
