//! A socket, the links over it, and whoever wants to become one.
//!
//! One socket serves a listener and all that is dialled from it: so others see one address. The ids in datagrams tell
//! links apart. Nothing is kept for a dialler, and it gets less than it sent, before it has shown that it receives
//! what is sent to its address.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tertulia::link::RawLink;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::KIND;
use super::burst::Burst;
use super::link::{Link, readable};
use super::wire::{self, Cookie, Datagram, Secret};
use crate::address::locator;

/// Links that wait to be accepted. Who comes then has to ask again.
const BACKLOG: usize = 64;
/// Links and their remains at once.
const LINKS: usize = 4096;
/// Bytes of the socket's buffers, if the system grants them.
const BUFFER: usize = 2 << 20;
/// Calls to the system before others get a turn.
const TURN: usize = 8;
/// Buffers filled by one call: with or without receive offload.
const BUFFERS: (usize, usize) = (8, 32);
const LONGEST: usize = 65_535;
/// The pause after the system failed to receive.
const PAUSE: Duration = Duration::from_millis(5);

/// What came of a knock.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Cookie(Cookie),
    Opened { id: u64, size: u16 },
}

/// Between which addresses datagrams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The other end's.
    pub(super) remote: SocketAddr,
    /// Which of this machine's, if the socket has them all: whoever wrote to one gets no answer from another.
    pub(super) local: Option<IpAddr>,
}

impl Way {
    /// To somebody, from whatever address the system thinks of.
    pub(super) fn to(remote: SocketAddr) -> Way {
        Way { remote, local: None }
    }
}

/// A bound socket.
pub(super) struct Endpoint {
    socket: Arc<UdpSocket>,
    state: UdpSocketState,
    pub(super) bound: SocketAddr,
    /// The longest datagram.
    pub(super) size: u16,
    pub(super) resend: u8,
    pub(super) secret: Secret,
    start: Instant,
    table: Mutex<Table>,
    reader: Mutex<Option<AbortHandle>>,
}

#[derive(Default)]
struct Table {
    links: HashMap<u64, Arc<Link>>,
    /// Links by who dialled them: a repeated wish leads to the same link.
    accepted: HashMap<(SocketAddr, u64), u64>,
    dials: HashMap<u64, (SocketAddr, mpsc::Sender<Answer>)>,
    door: Option<mpsc::Sender<RawLink>>,
}

impl Endpoint {
    /// Binds a socket and starts to read it.
    pub(super) fn bind(at: SocketAddr, size: u16, resend: u8) -> io::Result<Arc<Endpoint>> {
        let socket = std::net::UdpSocket::bind(at)?;
        socket.set_nonblocking(true)?;
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let state = UdpSocketState::new(UdpSockRef::from(&*socket))?;
        for set in [UdpSocketState::set_recv_buffer_size, UdpSocketState::set_send_buffer_size] {
            // What the system does not grant is missing under load only.
            let _granted = set(&state, UdpSockRef::from(&*socket), BUFFER);
        }
        let bound = socket.local_addr()?;
        let secret = Secret::new().map_err(io::Error::other)?;
        let endpoint = Arc::new(Endpoint {
            socket,
            state,
            bound,
            size,
            resend,
            secret,
            start: Instant::now(),
            table: Mutex::default(),
            reader: Mutex::default(),
        });
        let reader = tokio::spawn(read(endpoint.socket.clone(), Arc::downgrade(&endpoint)));
        *endpoint.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader.abort_handle());
        Ok(endpoint)
    }

    fn table<T>(&self, f: impl FnOnce(&mut Table) -> T) -> T {
        f(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the door to diallers; `None` when it is open already.
    pub(super) fn open_door(&self) -> Option<mpsc::Receiver<RawLink>> {
        self.table(|table| {
            if table.door.as_ref().is_some_and(|door| !door.is_closed()) {
                return None;
            }
            let (tx, rx) = mpsc::channel(BACKLOG);
            table.door = Some(tx);
            Some(rx)
        })
    }

    /// True while somebody accepts diallers.
    fn is_open(&self) -> bool {
        self.table(|table| table.door.as_ref().is_some_and(|door| !door.is_closed()))
    }

    /// Notes a dial; its answers come through the channel.
    pub(super) fn dial(&self, to: SocketAddr) -> (u64, mpsc::Receiver<Answer>) {
        let (id, (tx, rx)) = (self.secret.id(), mpsc::channel(4));
        self.table(|table| table.dials.insert(id, (to, tx)));
        (id, rx)
    }

    /// A dial is over.
    pub(super) fn dialled(&self, id: u64) {
        self.table(|table| table.dials.remove(&id));
    }

    /// Datagrams for this link are the link's from now on.
    pub(super) fn add(&self, link: &Arc<Link>) {
        self.table(|table| table.links.insert(link.here, link.clone()));
    }

    /// A link is over.
    pub(super) fn forget(&self, link: &Link) {
        let key = (link.way.remote, link.there());
        self.table(|table| {
            table.links.remove(&link.here);
            if table.accepted.get(&key) == Some(&link.here) {
                table.accepted.remove(&key);
            }
        });
    }

    /// Sends one datagram. What the system does not take is lost like any other.
    pub(super) fn send(&self, way: Way, datagram: &[u8]) {
        let _sent = self.transmit(way, datagram, None);
    }

    /// Sends a burst; false when the system takes nothing just now.
    pub(super) fn send_burst(&self, way: Way, burst: &Burst) -> bool {
        let segment = (burst.count > 1).then_some(burst.segment);
        // Any other failure is a datagram lost, and told by what is not acknowledged.
        !matches!(self.transmit(way, &burst.bytes, segment), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }

    fn transmit(&self, way: Way, contents: &[u8], segment_size: Option<usize>) -> io::Result<()> {
        let Way { remote: destination, local: src_ip } = way;
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip };
        self.state.try_send(UdpSockRef::from(&*self.socket), &transmit)
    }

    /// Datagrams that may go out in one call.
    pub(super) fn segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn seconds(&self) -> u32 {
        u32::try_from(self.start.elapsed().as_secs()).unwrap_or(u32::MAX)
    }

    /// A datagram that is not of a link that is up.
    fn strange(self: &Arc<Self>, way: Way, datagram: Datagram<'_>) {
        let from = way.remote;
        match datagram {
            Datagram::Knock { from: id } if self.is_open() => {
                let cookie = self.secret.cookie(from, id, self.seconds());
                self.send(way, &wire::cookie(id, &cookie));
            }
            Datagram::Open { from: id, size, cookie }
                if self.secret.is_good(cookie, from, id, self.seconds()) =>
            {
                self.wish(way, id, size);
            }
            Datagram::Cookie { to, cookie } => self.answer(from, to, Answer::Cookie(*cookie)),
            Datagram::Opened { to, from: id, size } => self.answer(from, to, Answer::Opened { id, size }),
            _ => {}
        }
    }

    fn answer(&self, from: SocketAddr, to: u64, answer: Answer) {
        let dial = self.table(|t| t.dials.get(&to).filter(|(at, _)| *at == from).map(|(_, tx)| tx.clone()));
        if let Some(dial) = dial {
            // When more answers wait than one needs, this one tells nothing new.
            let _told = dial.try_send(answer);
        }
    }

    /// Somebody who receives what is sent to its address wants a link.
    fn wish(self: &Arc<Self>, way: Way, id: u64, size: u16) {
        if size != self.size {
            return self.send(way, &wire::opened(id, 0, self.size));
        }
        let known = self.table(|t| t.accepted.get(&(way.remote, id)).copied());
        let here = known.or_else(|| self.accept(way, id));
        if let Some(here) = here {
            self.send(way, &wire::opened(id, here, self.size));
        }
    }

    fn accept(self: &Arc<Self>, way: Way, id: u64) -> Option<u64> {
        let door = self.table(|t| (t.links.len() < LINKS).then(|| t.door.clone()).flatten())?;
        let place = door.try_reserve().ok()?;
        let remote = locator(KIND, way.remote).ok()?;
        let (link, halves) = Link::start(self, (self.secret.id(), id, false), way);
        self.add(&link);
        self.table(|t| t.accepted.insert((way.remote, id), link.here));
        place.send(halves.raw(remote));
        Some(link.here)
    }

    /// The link that a datagram is for, if it comes from that link's other end.
    fn link(&self, from: SocketAddr, id: u64) -> Option<Arc<Link>> {
        self.table(|t| t.links.get(&id).filter(|link| link.way.remote == from).cloned())
    }

    /// Takes a buffer of datagrams of one sender.
    fn take(self: &Arc<Self>, way: Way, buffer: &[u8], stride: usize, told: &mut Told) {
        for bytes in buffer.chunks(stride.max(1)) {
            // Nobody sends longer ones; kept, they would cost more than the bounds on their number say.
            let fits = bytes.len() <= usize::from(self.size);
            let Some(datagram) = Datagram::parse(bytes).filter(|_| fits) else { continue };
            let (Datagram::Session { to }
            | Datagram::Hand { to, .. }
            | Datagram::End { to, .. }
            | Datagram::Heard { to, .. }) = datagram
            else {
                self.strange(way, datagram);
                continue;
            };
            let known = told.last().filter(|link| link.here == to && link.way.remote == way.remote);
            let Some(link) = known.cloned().or_else(|| self.link(way.remote, to)) else { continue };
            link.tell(|conn, now, out| match datagram {
                Datagram::Hand { number, message, .. } => conn.on_hand(now, number, Some(message), out),
                Datagram::End { number, .. } => conn.on_hand(now, number, None, out),
                Datagram::Heard { number, .. } => conn.on_heard(number),
                _ => conn.on_session(now, bytes, out),
            });
            if told.last().is_none_or(|last| last.here != link.here) {
                told.push(link);
            }
        }
    }

    /// Reads what is at hand, in one call to the system; false when there was nothing.
    fn receive(self: &Arc<Self>, memory: &mut Memory, told: &mut Told) -> io::Result<bool> {
        let Memory { bytes, each, meta } = memory;
        let mut buffers: Vec<_> = bytes.chunks_mut(*each).map(IoSliceMut::new).collect();
        let received = self.socket.try_io(tokio::io::Interest::READABLE, || {
            self.state.recv(UdpSockRef::from(&*self.socket), &mut buffers, meta)
        });
        let count = match received {
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e),
        };
        for (buffer, meta) in buffers.iter().zip(meta.iter()).take(count) {
            let local = meta.dst_ip.filter(|_| self.bound.ip().is_unspecified());
            let way = Way { remote: meta.addr, local };
            self.take(way, buffer.get(..meta.len).unwrap_or_default(), meta.stride, told);
        }
        Ok(true)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        reader.iter().for_each(AbortHandle::abort);
    }
}

/// Links that were told of datagrams and have not settled yet.
type Told = Vec<Arc<Link>>;

/// Where datagrams are received.
struct Memory {
    bytes: Vec<u8>,
    each: usize,
    meta: Vec<RecvMeta>,
}

/// Reads a socket for as long as anybody uses it: its endpoint ends this task.
async fn read(socket: Arc<UdpSocket>, endpoint: Weak<Endpoint>) {
    let Some(first) = endpoint.upgrade() else { return };
    let offload = first.state.gro_segments() > 1;
    let (count, each) =
        if offload { (BUFFERS.0, LONGEST) } else { (BUFFERS.1, usize::from(first.size).max(2048)) };
    drop(first);
    let mut memory = Memory { bytes: vec![0; count * each], each, meta: vec![RecvMeta::default(); count] };
    let mut told = Told::new();
    loop {
        let ready = readable(&socket).await;
        let Some(endpoint) = endpoint.upgrade() else { return };
        let turned = ready.and_then(|()| turn(&endpoint, &mut memory, &mut told));
        drop(endpoint);
        if turned.is_err() {
            // Nothing that concerns one datagram is worth more than a moment's pause.
            tokio::time::sleep(PAUSE).await;
        }
        tokio::task::yield_now().await;
    }
}

/// Reads what is at hand, up to a share.
fn turn(endpoint: &Arc<Endpoint>, memory: &mut Memory, told: &mut Told) -> io::Result<()> {
    for _ in 0..TURN {
        let more = endpoint.receive(memory, told);
        told.drain(..).for_each(|link| link.settle());
        if !more? {
            break;
        }
    }
    Ok(())
}
