//! A network that loses, doubles, delays, reorders and alters datagrams.
//!
//! A relay stands before a member's listener, as an address translator would: others know its address only, and each
//! of them gets a socket of its own towards the member. So every link passes one relay, both ways.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tertulia::link::{Caps, Listener, Locator, RawLink, Transport, TransportError};
use tertulia_core::rng::NodeRng;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// Shares of datagrams that meet with something, and how long the way takes.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Lost.
    pub lose: f64,
    /// Doubled.
    pub double: f64,
    /// Held up for [`Faults::HELD`], so that others overtake them.
    pub hold: f64,
    /// One bit altered.
    pub alter: f64,
    /// One way, but for up to half as much again.
    pub delay: Duration,
}

impl Faults {
    /// How long a datagram that is held up takes longer.
    pub const HELD: Duration = Duration::from_millis(15);

    /// This share lost; half of it doubled, as much held up, a tenth of it altered; two milliseconds one way.
    #[must_use]
    pub fn of(share: f64) -> Faults {
        let delay = Duration::from_millis(2);
        Faults { lose: share, double: share / 2.0, hold: share, alter: share / 10.0, delay }
    }
}

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    counts: [AtomicU64; 5],
}

impl Done {
    const NAMES: [&str; 5] = ["passed", "lost", "doubled", "held", "altered"];

    fn one(&self, what: usize) {
        self.counts[what].fetch_add(1, Ordering::Relaxed);
    }

    /// How many datagrams met with what.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        Self::NAMES.into_iter().zip(self.counts.iter().map(|c| c.load(Ordering::Relaxed))).collect()
    }
}

/// A transport whose listeners are reached over a lossy way only.
pub struct Lossy {
    inner: Arc<dyn Transport>,
    faults: Faults,
    seed: u64,
    /// What was done so far.
    pub done: Arc<Done>,
}

impl Lossy {
    /// Listens and dials with `inner`, a transport over datagrams.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, faults: Faults, seed: u64) -> Self {
        Lossy { inner, faults, seed, done: Arc::default() }
    }
}

#[async_trait]
impl Transport for Lossy {
    fn scheme(&self) -> &'static str {
        self.inner.scheme()
    }

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    async fn listen(&self, at: &Locator) -> Result<Box<dyn Listener>, TransportError> {
        let inner = self.inner.listen(at).await?;
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let known = Locator::new(self.scheme(), &front.local_addr().unwrap().to_string()).unwrap();
        let way = Way {
            faults: self.faults,
            rng: Arc::new(Mutex::new(NodeRng::new(self.seed))),
            done: self.done.clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(relay(front, inner.local().rest().parse().unwrap(), way));
        Ok(Box::new(Door { inner, known, _relay: tasks }))
    }

    async fn dial(&self, to: &Locator) -> Result<RawLink, TransportError> {
        self.inner.dial(to).await
    }
}

struct Door {
    inner: Box<dyn Listener>,
    known: Locator,
    _relay: JoinSet<()>,
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

/// What happens to datagrams.
#[derive(Clone)]
struct Way {
    faults: Faults,
    rng: Arc<Mutex<NodeRng>>,
    done: Arc<Done>,
}

impl Way {
    /// Sends a datagram on, or what becomes of it.
    fn pass(&self, mut bytes: Vec<u8>, socket: &Arc<UdpSocket>, to: SocketAddr) {
        let (mut rng, faults) = (self.rng.lock(), self.faults);
        if rng.chance(faults.lose) {
            return self.done.one(1);
        }
        self.done.one(0);
        let copies = if rng.chance(faults.double) { 2 } else { 1 };
        (1..copies).for_each(|_| self.done.one(2));
        if rng.chance(faults.alter) && !bytes.is_empty() {
            let at = rng.below(bytes.len());
            bytes[at] ^= 1 << rng.below(8);
            self.done.one(4);
        }
        for _ in 0..copies {
            let mut delay = faults.delay.mul_f64(1.0 + rng.unit() / 2.0);
            if rng.chance(faults.hold) {
                delay += Faults::HELD;
                self.done.one(3);
            }
            let (bytes, socket) = (bytes.clone(), socket.clone());
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                // Whoever it is for may be gone.
                let _sent = socket.send_to(&bytes, to).await;
            });
        }
    }
}

/// Relays between `front` and `target`, for as long as it is not dropped.
async fn relay(front: Arc<UdpSocket>, target: SocketAddr, way: Way) {
    let mut ways_in: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut back = JoinSet::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((len, from)) = front.recv_from(&mut buffer).await else { continue };
        let way_in = match ways_in.entry(from) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let inner = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                back.spawn(relay_back(inner.clone(), front.clone(), from, way.clone()));
                place.insert(inner)
            }
        };
        way.pass(buffer[..len].to_vec(), way_in, target);
    }
}

/// Relays what the member answers to one of the others.
async fn relay_back(inner: Arc<UdpSocket>, front: Arc<UdpSocket>, to: SocketAddr, way: Way) {
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((len, _)) = inner.recv_from(&mut buffer).await else { continue };
        way.pass(buffer[..len].to_vec(), &front, to);
    }
}
