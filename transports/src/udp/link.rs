//! The two halves of a link, and the task that keeps its time.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tertulia::link::{LinkRx, LinkTx, RawLink, RxBatch, TransportCode, TransportError, TxBatch};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::burst::{Burst, Out};
use super::conn::Conn;
use super::endpoint::{Endpoint, Way};
use super::wire::AROUND_HAND;

/// A link as its halves, its keeper and the socket's reader share it.
pub(super) struct Link {
    pub(super) here: u64,
    pub(super) way: Way,
    endpoint: Arc<Endpoint>,
    state: Mutex<State>,
    /// Something may be due earlier than the keeper thinks.
    sooner: Notify,
}

struct State {
    conn: Conn,
    out: Out,
    burst: Burst,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Halves that are in use.
    halves: u8,
    /// When the keeper wakes.
    armed: Option<Instant>,
}

impl Link {
    /// A new link, its halves, and its keeper started.
    pub(super) fn start(
        endpoint: &Arc<Endpoint>,
        (here, there, initiator): (u64, u64, bool),
        way: Way,
    ) -> (Arc<Link>, LinkHalves) {
        let conn = Conn::new(there, initiator, endpoint.resend, Instant::now());
        let link = Arc::new(Link {
            here,
            way,
            endpoint: endpoint.clone(),
            state: Mutex::new(State {
                conn,
                out: Out::default(),
                burst: Burst::new(),
                reader: None,
                writer: None,
                halves: 2,
                armed: None,
            }),
            sooner: Notify::new(),
        });
        tokio::spawn(keep(link.clone()));
        let halves = LinkHalves { tx: UdpTx(link.clone()), rx: UdpRx(link.clone()) };
        (link, halves)
    }

    /// The id at which the other end is addressed.
    pub(super) fn there(&self) -> u64 {
        self.with(|state, _| state.conn.there())
    }

    /// Tells the link of something, sends what follows from it and wakes who waits for it.
    fn with<T>(&self, f: impl FnOnce(&mut State, Instant) -> T) -> T {
        let now = Instant::now();
        // Whole between any two statements: a panic elsewhere does not spoil it.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut state, now);
        let State { conn, out, reader, writer, armed, .. } = &mut *state;
        out.drain(|datagram| self.endpoint.send(self.way, datagram));
        let deadline = conn.deadline(now, writer.is_some());
        let sooner = deadline.is_some_and(|at| armed.is_none_or(|armed| at < armed));
        let reader = if conn.is_readable() { reader.take() } else { None };
        drop(state);
        if sooner {
            self.sooner.notify_one();
        }
        reader.into_iter().for_each(Waker::wake);
        result
    }

    /// A datagram arrived for this link.
    pub(super) fn tell(&self, f: impl FnOnce(&mut Conn, Instant, &mut Out)) {
        self.with(|state, now| f(&mut state.conn, now, &mut state.out));
    }

    /// All datagrams that were at hand have been told: acknowledges, and sends what may go out now.
    pub(super) fn settle(&self) {
        let writer = self.with(|state, now| {
            state.conn.settle_up(now, &mut state.out);
            self.resend(state, now);
            state.writer.take()
        });
        writer.into_iter().for_each(Waker::wake);
    }

    /// Sends lost records again, as far as the window allows.
    fn resend(&self, state: &mut State, now: Instant) {
        if state.conn.sent.has_again() {
            // An error here is found again by whoever sends next.
            let _sent = self.pump(state, now, &mut TxBatch::new(0));
        }
    }

    /// Sends what may leave; how many records of `batch` did.
    fn pump(&self, state: &mut State, now: Instant, batch: &mut TxBatch) -> usize {
        let State { conn, burst, .. } = state;
        let mut sent = 0;
        loop {
            conn.fill(now, batch, self.endpoint.segments(), burst);
            if burst.count == 0 {
                return sent;
            }
            if !self.endpoint.send_burst(self.way, burst) {
                conn.stall(now);
                return sent;
            }
            let fresh = conn.commit(now, batch, burst);
            batch.sent(fresh);
            sent += fresh;
        }
    }

    fn drop_half(&self) {
        self.with(|state, now| {
            state.halves -= 1;
            if state.halves == 0 {
                state.conn.close(now, true, &mut state.out);
            }
        });
        // Whether the link may be forgotten is the keeper's to see.
        self.sooner.notify_one();
    }
}

/// What uses a link.
pub(super) struct LinkHalves {
    tx: UdpTx,
    rx: UdpRx,
}

impl LinkHalves {
    pub(super) fn raw(self, remote: tertulia::link::Locator) -> RawLink {
        RawLink { tx: Box::new(self.tx), rx: Box::new(self.rx), remote }
    }
}

/// Does what is due, until the link may be forgotten.
async fn keep(link: Arc<Link>) {
    loop {
        let (over, deadline, writer) = link.with(|state, now| {
            state.conn.on_deadline(now, &mut state.out);
            link.resend(state, now);
            let writer = state.writer.take();
            // Whoever waits to send looks again, and says so again if it still has to wait.
            state.armed = state.conn.deadline(now, writer.is_some());
            (state.conn.is_over(now), state.armed, writer)
        });
        writer.into_iter().for_each(Waker::wake);
        if over {
            break;
        }
        let Some(deadline) = deadline else {
            link.sooner.notified().await;
            continue;
        };
        tokio::select! {
            () = sleep_until(deadline) => {}
            () = link.sooner.notified() => {}
        }
    }
    link.endpoint.forget(&link);
}

struct UdpTx(Arc<Link>);

impl LinkTx for UdpTx {
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut TxBatch,
    ) -> Poll<Result<usize, TransportError>> {
        if batch.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.0.with(|state, now| {
            if state.conn.is_deaf() {
                return Poll::Ready(Err(TransportError::closed()));
            }
            let most = usize::from(self.0.endpoint.size);
            if !state.conn.is_established() {
                return Poll::Ready(hand(state, now, batch, most - AROUND_HAND));
            }
            if let Some(long) = batch.records().find(|r| r.len() > most - super::wire::HEAD) {
                return Poll::Ready(Err(TransportError::oversize(long.len(), most - super::wire::HEAD)));
            }
            match self.0.pump(state, now, batch) {
                0 => {
                    state.writer = Some(cx.waker().clone());
                    Poll::Pending
                }
                sent => Poll::Ready(Ok(sent)),
            }
        })
    }

    fn established(&mut self, key: &[u8; 32]) {
        self.0.tell(|conn, now, out| conn.established(key, now, out));
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.0.with(|state, now| {
            state.conn.close(now, false, &mut state.out);
            if state.conn.is_closed() {
                return Poll::Ready(Ok(()));
            }
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

/// Sends messages of the handshake.
fn hand(state: &mut State, now: Instant, batch: &mut TxBatch, most: usize) -> Result<usize, TransportError> {
    let mut sent = 0;
    for message in batch.records() {
        if message.len() > most {
            return Err(TransportError::oversize(message.len(), most));
        }
        if !state.conn.send_hand(now, message, &mut state.out) {
            let why = "more messages than any handshake has";
            return Err(TransportError::new(TransportCode::Io, "sending failed", why));
        }
        sent += 1;
    }
    batch.sent(sent);
    Ok(sent)
}

impl Drop for UdpTx {
    fn drop(&mut self) {
        self.0.drop_half();
    }
}

struct UdpRx(Arc<Link>);

impl LinkRx for UdpRx {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut RxBatch,
    ) -> Poll<Result<usize, TransportError>> {
        if batch.is_full() {
            return Poll::Ready(Ok(0));
        }
        self.0.with(|state, now| {
            let mut records = 0;
            while !batch.is_full() {
                let conn = &mut state.conn;
                let hand = conn.pop_hand().map(|message| BytesMut::from(&message[..]));
                let record = hand.or_else(|| if conn.is_established() { conn.pop_record() } else { None });
                let Some(record) = record else { break };
                batch.push(record)?;
                records += 1;
            }
            if records > 0 {
                state.conn.made_room(now, &mut state.out);
                return Poll::Ready(Ok(records));
            }
            if state.conn.is_read_out() {
                return Poll::Ready(Err(TransportError::closed()));
            }
            state.reader = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for UdpRx {
    fn drop(&mut self) {
        self.0.drop_half();
    }
}

/// Waits until the system has something to read.
pub(super) async fn readable(socket: &tokio::net::UdpSocket) -> std::io::Result<()> {
    poll_fn(|cx| socket.poll_recv_ready(cx)).await
}
