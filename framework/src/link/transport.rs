//! The seam of transports: how sealed records travel between two members.
//!
//! Dialling, listening and accepting happen once per connection and return boxed futures. The data path polls:
//! a transport takes a batch of records at once and hands over a batch at once, and nothing is boxed or
//! allocated per frame.

use std::task::{Context, Poll};

use async_trait::async_trait;

use super::{Locator, RxBatch, TransportCode, TransportError, TxBatch};

/// What a transport promises of the records that it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Every record arrives, or the link fails.
    pub reliable: bool,
    /// Records arrive in the order in which they were sent.
    pub ordered: bool,
    /// The longest record in bytes, its seal included.
    pub max_record: usize,
}

impl Caps {
    /// A reliable, ordered stream with the usual record length.
    ///
    /// The length lets every ordinary parcel (at most 64 KiB and its header) travel in one record, so that it
    /// is neither cut nor put together again.
    pub const STREAM: Caps = Caps { reliable: true, ordered: true, max_record: 128 * 1024 };

    /// Datagrams with records of at most `max_record` bytes, each of which may be lost, late or doubled.
    #[must_use]
    pub const fn datagram(max_record: usize) -> Caps {
        Caps { reliable: false, ordered: false, max_record }
    }

    /// True when every record arrives, and in order: both sides can count them, and need not number them.
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        self.reliable && self.ordered
    }
}

/// A way for records to travel: TCP, memory, ….
#[async_trait]
pub trait Transport: Send + Sync {
    /// The scheme of this transport's locators.
    fn scheme(&self) -> &'static str;

    /// What the links of this transport promise.
    fn caps(&self) -> Caps;

    /// Checks what can be checked of an address to dial without asking anybody: the scheme, and how it is written.
    ///
    /// # Errors
    /// When dialling it can never succeed.
    fn check_dial(&self, to: &Locator) -> Result<(), TransportError> {
        if to.scheme() == self.scheme() {
            return Ok(());
        }
        let why = format!("`{}` is not the scheme of this transport, `{}`", to.scheme(), self.scheme());
        Err(TransportError::new(TransportCode::BadAddress, format!("cannot dial {to}"), why))
    }

    /// Opens a listener at an address.
    async fn listen(&self, at: &Locator) -> Result<Box<dyn Listener>, TransportError>;

    /// Connects to a listener. Sets no deadline of its own: the caller does, and dropping the future gives up.
    async fn dial(&self, to: &Locator) -> Result<RawLink, TransportError>;
}

/// An open listener; dropping it closes it, not the links that it accepted.
#[async_trait]
pub trait Listener: Send {
    /// Where others reach this listener: concrete and dialable, never a wildcard or port 0.
    fn local(&self) -> Locator;

    /// The next connection. Dropping the future loses none.
    ///
    /// An error concerns one connection or a passing shortage; the listener stays usable. Wait a moment before
    /// asking again.
    async fn accept(&mut self) -> Result<RawLink, TransportError>;
}

/// A connection before its handshake.
pub struct RawLink {
    /// The sending half.
    pub tx: Box<dyn LinkTx>,
    /// The receiving half.
    pub rx: Box<dyn LinkRx>,
    /// The other end as this transport sees it; on an accepted link perhaps not dialable.
    pub remote: Locator,
}

impl std::fmt::Debug for RawLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawLink").field("remote", &self.remote).finish_non_exhaustive()
    }
}

/// The sending half of a link.
pub trait LinkTx: Send {
    /// Hands over records from the front of `batch`; resolves to their number once at least one went whole, or
    /// at once with 0 when the batch is empty.
    ///
    /// How far a record went in part is kept in the batch, so always pass the same one until it is empty. After
    /// an error the link is unusable.
    fn poll_send(&mut self, cx: &mut Context<'_>, batch: &mut TxBatch)
    -> Poll<Result<usize, TransportError>>;

    /// The handshake over this link is done; what is sent from here on are the link's own records.
    ///
    /// `key` is known to both ends and to nobody else: a transport with messages of its own, such as acknowledgements,
    /// protects them with it. Messages of a handshake arrive once and in order on every transport; from here on a
    /// transport need promise no more than its [`Caps`]. For most there is nothing to do.
    fn established(&mut self, _key: &[u8; 32]) {}

    /// Ends the sending direction once everything handed over is on its way. The other side then reads what was
    /// sent and after it the end.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>>;
}

/// The receiving half of a link.
pub trait LinkRx: Send {
    /// Appends records to `batch` until no more are at hand or it is full; resolves to their number, at least one
    /// (0 only when the batch was full already).
    ///
    /// The end of the link is an error with the code `closed`, as is a break. A record longer than
    /// [`RxBatch::max_record`] is an error before memory is taken for it. After an error the link is unusable.
    fn poll_recv(&mut self, cx: &mut Context<'_>, batch: &mut RxBatch)
    -> Poll<Result<usize, TransportError>>;
}
