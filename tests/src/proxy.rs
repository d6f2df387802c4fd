//! A proxy between members, in user space: it passes records on, spoils them, keeps a copy, or stops reading.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tertulia::link::Locator;
use tertulia_core::rng::NodeRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::fault::Fault;
use crate::wait::soon;

/// Records that pass between two faults of one direction, at most.
const SPACING: usize = 60;
/// The longest record that a proxy takes for one.
const RECORD_MAX: usize = 1 << 20;
/// Records from the dialler once it has a link: two of the handshake, and one more.
const LINKED: usize = 3;

/// A proxy around one member: before it, and behind it on the ways that it dials.
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// Ways out, by where they lead.
    doors: Mutex<BTreeMap<String, Locator>>,
    accepts: Mutex<Vec<JoinHandle<()>>>,
}

/// What passed one connection.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// From the one who dialled.
    pub forth: Vec<u8>,
    /// To the one who dialled.
    pub back: Vec<u8>,
}

struct Shared {
    target: Mutex<Option<SocketAddr>>,
    seed: u64,
    spoils: AtomicBool,
    records: AtomicBool,
    stalled: watch::Sender<bool>,
    faults: Mutex<BTreeMap<Fault, u64>>,
    /// Connections that became links once faults had begun.
    remade: AtomicU64,
    connections: AtomicU64,
    tapes: watch::Sender<Vec<Tape>>,
}

/// How one direction of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Its sender closed it.
    Eof,
    /// It is cut, both ways.
    Cut,
}

impl Proxy {
    /// A proxy that passes everything on.
    pub async fn start(seed: u64) -> Arc<Proxy> {
        let (listener, addr) = listen().await;
        let shared = Arc::new(Shared {
            target: Mutex::new(None),
            seed,
            spoils: AtomicBool::new(false),
            records: AtomicBool::new(false),
            stalled: watch::Sender::new(false),
            faults: Mutex::default(),
            remade: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            tapes: watch::Sender::default(),
        });
        let accepts = vec![tokio::spawn(accept(listener, None, shared.clone()))];
        Arc::new(Proxy { addr, shared, doors: Mutex::default(), accepts: Mutex::new(accepts) })
    }

    /// One proxy per seed.
    pub async fn several(seeds: std::ops::Range<u64>) -> Vec<Arc<Proxy>> {
        let mut all = Vec::new();
        for seed in seeds {
            all.push(Proxy::start(seed).await);
        }
        all
    }

    /// Where it is dialled.
    #[must_use]
    pub fn locator(&self) -> Locator {
        locator(self.addr)
    }

    /// Where to dial to come to `target` through this proxy.
    pub async fn door(&self, target: &str) -> Locator {
        let known = self.doors.lock().get(target).cloned();
        if let Some(door) = known {
            return door;
        }
        let (listener, addr) = listen().await;
        let leads_to = Some(target.parse().unwrap());
        self.accepts.lock().push(tokio::spawn(accept(listener, leads_to, self.shared.clone())));
        self.doors.lock().insert(target.to_owned(), locator(addr));
        locator(addr)
    }

    /// Before whom it stands.
    pub fn aim(&self, target: &str) {
        *self.shared.target.lock() = Some(target.parse().unwrap());
    }

    /// Begins or ends to spoil what passes.
    pub fn spoil(&self, on: bool) {
        self.shared.spoils.store(on, Ordering::SeqCst);
    }

    /// Begins to keep a copy of what passes on new connections.
    pub fn record(&self) {
        self.shared.records.store(true, Ordering::SeqCst);
    }

    /// Stops or goes on reading.
    pub fn stall(&self, on: bool) {
        self.shared.stalled.send_replace(on);
    }

    /// Faults so far, by kind.
    #[must_use]
    pub fn faults(&self) -> BTreeMap<Fault, u64> {
        self.shared.faults.lock().clone()
    }

    /// Connections that became links after the first fault.
    #[must_use]
    pub fn remade(&self) -> u64 {
        self.shared.remade.load(Ordering::SeqCst)
    }

    /// What passed the connections that are over, as soon as these are `least`.
    pub async fn tapes(&self, least: usize) -> Vec<Tape> {
        let mut tapes = self.shared.tapes.subscribe();
        let enough = soon("tapes", tapes.wait_for(|tapes| tapes.len() >= least)).await;
        enough.unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.lock().iter().for_each(JoinHandle::abort);
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

fn locator(addr: SocketAddr) -> Locator {
    Locator::new("tcp", &addr.to_string()).unwrap()
}

/// Passes on whatever comes in; to the member itself when the door leads nowhere else.
async fn accept(listener: TcpListener, leads_to: Option<SocketAddr>, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((near, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let shared = shared.clone();
        connections.spawn(async move {
            let number = shared.connections.fetch_add(1, Ordering::SeqCst);
            let target = leads_to.or(*shared.target.lock());
            // Whoever dials a member that is gone is turned away.
            if let Some(target) = target
                && let Ok(far) = TcpStream::connect(target).await
            {
                pass(near, far, number, &shared).await;
            }
        });
    }
}

/// Passes one connection on until it is over.
async fn pass(near: TcpStream, far: TcpStream, number: u64, shared: &Shared) {
    for stream in [&near, &far] {
        stream.set_nodelay(true).unwrap();
    }
    let ((near_rx, near_tx), (far_rx, far_tx)) = (near.into_split(), far.into_split());
    let rng = |way| NodeRng::fork(shared.seed, number << 1 | way);
    let (mut forth, mut back) = (Vec::new(), Vec::new());
    {
        let forth = Direction { rng: rng(0), tape: &mut forth, dialler: true, shared }.pump(near_rx, far_tx);
        let back = Direction { rng: rng(1), tape: &mut back, dialler: false, shared }.pump(far_rx, near_tx);
        let (mut forth, mut back) = (std::pin::pin!(forth), std::pin::pin!(back));
        tokio::select! {
            end = &mut forth => if end == End::Eof { back.await; },
            end = &mut back => if end == End::Eof { forth.await; },
        }
    }
    if shared.records.load(Ordering::SeqCst) {
        shared.tapes.send_modify(|tapes| tapes.push(Tape { forth, back }));
    }
}

struct Direction<'a> {
    rng: NodeRng,
    tape: &'a mut Vec<u8>,
    dialler: bool,
    shared: &'a Shared,
}

impl Direction<'_> {
    async fn pump(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> End {
        let mut stalled = self.shared.stalled.subscribe();
        // One fault and no more: the receiver has to notice that one.
        let mut fault_at = Some(1 + self.rng.below(SPACING));
        let (mut last, mut held) = (Vec::new(), Vec::new());
        for count in 1.. {
            if stalled.wait_for(|stalled| !stalled).await.is_err() {
                return End::Cut;
            }
            let Some(record) = read(&mut from).await else {
                let _closed = to.shutdown().await;
                return End::Eof;
            };
            self.note(count, &record);
            let mut bytes = record.clone();
            let mut cut = false;
            if !held.is_empty() {
                bytes.append(&mut held);
            } else if fault_at.is_some_and(|at| count >= at)
                && record.len() > 4
                && self.shared.spoils.load(Ordering::SeqCst)
            {
                let fault = Fault::random(&mut self.rng);
                fault_at = None;
                *self.shared.faults.lock().entry(fault).or_default() += 1;
                cut = fault == Fault::Truncate;
                (bytes, held) = fault.apply(&mut self.rng, bytes, &last);
            }
            if to.write_all(&bytes).await.is_err() || cut {
                return End::Cut;
            }
            last = record;
        }
        End::Eof
    }

    fn note(&mut self, count: usize, record: &[u8]) {
        if self.shared.records.load(Ordering::SeqCst) {
            self.tape.extend_from_slice(record);
        }
        if self.dialler && count == LINKED && !self.shared.faults.lock().is_empty() {
            self.shared.remade.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The next record, its length in front; `None` at the end.
async fn read(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let len = from.read_u32_le().await.ok()?;
    let size = usize::try_from(len).ok().filter(|&n| n <= RECORD_MAX)?;
    let mut record = vec![0; 4 + size];
    record[..4].copy_from_slice(&len.to_le_bytes());
    from.read_exact(&mut record[4..]).await.ok()?;
    Some(record)
}
