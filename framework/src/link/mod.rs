//! Links: authenticated connections to neighbours.
//!
//! A link is made of plug-ins and of machinery between them:
//!
//! ```text
//!  frames of the engine
//!        │ push                                ▲ frames, slices of the record they came in
//!  [Lanes]     one queue per urgency           │
//!        │ fill                                │ read
//!  [RecordWriter] pack, seal in place     [RecordReader] open in place, reassemble
//!        │ TxBatch                             │ RxBatch
//!  [LinkTx]    one write per batch        [LinkRx]      one read per batch
//! ```
//!
//! Only the two ends at the bottom touch a socket, and they poll; what stands above is synchronous and never
//! waits. [`establish()`] runs a handshake over a raw link before any frame passes.

mod error;
mod establish;
mod handshake;
mod lanes;
mod locator;
pub mod record;
mod refusal;
mod rx_batch;
mod seal;
pub mod stream;
mod transport;
mod tx_batch;

pub use error::{TransportCode, TransportError};
pub use establish::{EstablishError, Link, establish, refuse};
pub use handshake::{
    Admission, Crypto, CryptoCheck, HANDSHAKE_MAX, Handshake, HandshakeError, HandshakeParams, PROTOCOL,
    Role, SERVICE, Session, Side, Step, VOUCHED, admit_epoch,
};
pub use lanes::Lanes;
pub use locator::{Locator, LocatorError};
pub use record::{RecordError, RecordReader, RecordWriter};
pub use refusal::Refusal;
pub use rx_batch::RxBatch;
pub use seal::{Opener, SealError, Sealer};
pub use transport::{Caps, LinkRx, LinkTx, Listener, RawLink, Transport};
pub use tx_batch::{HEADROOM, RecordSlot, TxBatch};
