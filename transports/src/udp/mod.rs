#![doc = include_str!("docs.md")]

mod burst;
mod config;
mod conn;
mod endpoint;
mod flow;
mod hand;
mod link;
mod seen;
mod sent;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tertulia::link::{Caps, Listener, Locator, RawLink, Transport, TransportCode, TransportError};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::address::{check_dial, dialable, resolve};
pub use crate::option::BadOption;
pub use config::Config;
use endpoint::{Answer, Endpoint, Way};
use link::Link;

/// The name of this transport in profiles, and its scheme.
pub const KIND: &str = "udp";

/// How long a knock may go unanswered before it is repeated.
const REPEAT: Duration = Duration::from_millis(150);
/// How long nobody may answer before the address counts as nobody's.
const PATIENCE: Duration = Duration::from_secs(3);

/// The transport.
///
/// # Errors
/// An option out of range.
pub fn build(config: &Config) -> Result<Arc<dyn Transport>, BadOption> {
    let size = config.check()?;
    Ok(Arc::new(Udp { config: config.clone(), size, endpoints: Mutex::default() }))
}

struct Udp {
    config: Config,
    size: u16,
    /// Sockets in use, to dial from and to listen at again.
    endpoints: Mutex<Vec<Weak<Endpoint>>>,
}

impl Udp {
    /// A socket in use that fits, if there is one.
    fn find(&self, fits: impl Fn(&Endpoint) -> bool) -> Option<Arc<Endpoint>> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.retain(|e| e.strong_count() > 0);
        endpoints.iter().filter_map(Weak::upgrade).find(|e| fits(e))
    }

    fn bind(&self, at: SocketAddr) -> std::io::Result<Arc<Endpoint>> {
        let endpoint = Endpoint::bind(at, self.size, self.config.resend)?;
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.push(Arc::downgrade(&endpoint));
        Ok(endpoint)
    }

    /// The socket to dial from: the listener's where it reaches so far, so that others see one address.
    fn from(&self, to: SocketAddr) -> std::io::Result<Arc<Endpoint>> {
        let reaches = |e: &Endpoint| {
            e.bound.is_ipv4() == to.is_ipv4()
                && (e.bound.ip().is_unspecified() || e.bound.ip().is_loopback() == to.ip().is_loopback())
        };
        if let Some(endpoint) = self.find(reaches) {
            return Ok(endpoint);
        }
        let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        self.bind(any)
    }
}

#[async_trait]
impl Transport for Udp {
    fn scheme(&self) -> &'static str {
        KIND
    }

    fn caps(&self) -> Caps {
        Caps::datagram(usize::from(self.size) - wire::HEAD)
    }

    fn check_dial(&self, to: &Locator) -> Result<(), TransportError> {
        check_dial(KIND, to)
    }

    async fn listen(&self, at: &Locator) -> Result<Box<dyn Listener>, TransportError> {
        let addresses = resolve(KIND, at, "listen on").await?;
        let failed = |error| TransportError::io(format!("cannot listen on {at}"), &error);
        let mut result = None;
        for address in addresses {
            // Links that a closed listener left behind still use its socket.
            let ours = self.find(|e| address.port() != 0 && e.bound == address);
            let bound = ours.map_or_else(|| self.bind(address), Ok);
            let found = bound.is_ok();
            result = Some(bound);
            if found {
                break;
            }
        }
        let endpoint = result.unwrap_or_else(|| Err(std::io::ErrorKind::AddrNotAvailable.into()));
        let endpoint = endpoint.map_err(failed)?;
        let local = dialable(KIND, endpoint.bound, self.config.advertise.as_deref())?;
        let taken = || failed(std::io::ErrorKind::AddrInUse.into());
        let accepted = endpoint.open_door().ok_or_else(taken)?;
        Ok(Box::new(UdpAccept { _endpoint: endpoint, local, accepted }))
    }

    async fn dial(&self, to: &Locator) -> Result<RawLink, TransportError> {
        self.check_dial(to)?;
        let addresses = resolve(KIND, to, "dial").await?;
        let mut failure = None;
        for address in addresses {
            match self.knock(address, to).await {
                Ok(link) => return Ok(link),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| unreachable(to, "nobody answers")))
    }
}

impl Udp {
    /// Asks one address for a link until it answers or nobody is likely to.
    async fn knock(&self, address: SocketAddr, to: &Locator) -> Result<RawLink, TransportError> {
        let failed = |error| TransportError::io(format!("cannot dial {to}"), &error);
        let endpoint = self.from(address).map_err(failed)?;
        let (id, mut answers) = endpoint.dial(address);
        let dial = Dial { endpoint, id };
        let (mut cookie, until) = (None, Instant::now() + PATIENCE);
        while Instant::now() < until {
            dial.endpoint.send(Way::to(address), &wire::knock(id, self.size, cookie.as_ref()));
            match timeout(REPEAT, answers.recv()).await {
                Ok(Some(Answer::Cookie(given))) => cookie = Some(given),
                Ok(Some(Answer::Opened { id: 0, size })) => {
                    let why =
                        format!("its datagrams are of {size} bytes: give both transport.datagram the same");
                    return Err(TransportError::new(
                        TransportCode::BadAddress,
                        format!("cannot dial {to}"),
                        why,
                    ));
                }
                Ok(Some(Answer::Opened { id: there, .. })) => {
                    let (link, halves) = Link::start(&dial.endpoint, (id, there, true), Way::to(address));
                    dial.endpoint.add(&link);
                    return Ok(halves.raw(to.clone()));
                }
                // Lost on the way, or nobody there.
                Ok(None) | Err(_) => {}
            }
        }
        Err(unreachable(to, "nobody answers"))
    }
}

fn unreachable(to: &Locator, why: &'static str) -> TransportError {
    TransportError::new(TransportCode::Unreachable, format!("cannot dial {to}"), why)
}

/// A dial under way; dropped, its answers go nowhere.
struct Dial {
    endpoint: Arc<Endpoint>,
    id: u64,
}

impl Drop for Dial {
    fn drop(&mut self) {
        self.endpoint.dialled(self.id);
    }
}

struct UdpAccept {
    /// Keeps the socket.
    _endpoint: Arc<Endpoint>,
    local: Locator,
    accepted: mpsc::Receiver<RawLink>,
}

#[async_trait]
impl Listener for UdpAccept {
    fn local(&self) -> Locator {
        self.local.clone()
    }

    async fn accept(&mut self) -> Result<RawLink, TransportError> {
        self.accepted.recv().await.ok_or_else(TransportError::closed)
    }
}
