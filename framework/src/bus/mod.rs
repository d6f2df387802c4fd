//! The bus: a node of a group as an application sees it.
//!
//! ```text
//!   publish, send ──► Outgoing ──► ┌────────┐ ──► lanes ──► writer ──► link
//!                                  │ driver │
//!   Subscription ◄── mailboxes ◄── └────────┘ ◄── batches ◄── reader ◄── link
//! ```
//!
//! One task, the driver, owns the pure engine and never waits for anybody. Every link has a reader and a writer of its
//! own. Everything that crosses from one task to another does so in batches, and every queue between them is bounded:
//!
//! | queue | bound | when it is full |
//! |---|---|---|
//! | published, not yet taken | `limits.pending` | `publish` waits, `try_publish` says so |
//! | frames for a link | `limits.lane_*` | the frame is dropped; delivery repairs |
//! | batches from a link | four | that link is read no further, and its sender's lanes fill |
//! | messages not yet read | `limits.inbox` per subscriber | see below |
//! | events not yet read | 4,096, or as asked for | a mark says how many are missing |
//! | handshakes | `limits.handshakes` | others are told that this node is busy |
//!
//! **A subscriber that does not read** costs nobody else anything for long, and loses nothing. First its mailbox takes
//! `limits.inbox` bytes. Then the node holds back as many bytes of data again, while publishers that wait for its
//! progress slow down to its pace for at most `delivery.stall`. What comes after that is let pass by, as if it had been
//! lost on the way; once there is room again, delivery asks for it from those who keep it, or reports a `gap` when
//! nobody does. All this time everything that is no data is served: the node answers probes, keeps its links and is
//! taken for what it is, alive. It forwards data only as far as it takes it, which a topology sees as loss and repairs.
//! Other subscribers of the same node wait with it, so drop a subscription that is no longer read.

mod assemble;
mod book;
mod builder;
mod driver;
mod error;
mod filter;
mod fit;
mod hub;
mod mailbox;
mod memory;
mod node;
mod outgoing;
mod request;
mod shared;
mod subscription;

pub use builder::Builder;
pub use driver::Entry;
pub use error::{Outcome, PublishError, RequestError, StartError};
pub use filter::Filter;
pub use node::Node;
pub use request::{Request, Requests};
pub use shared::{Member, TopologyView};
pub use subscription::{Batch, Events, Feed, Notice, Received, Subscription, Told};

pub(crate) use book::Book;
pub(crate) use fit::{check_fit, fits};

/// A room by name.
///
/// # Errors
/// [`PublishError::UnknownRoom`] when no room can have this name.
pub fn room(name: &str) -> Result<tertulia_core::message::Room, PublishError> {
    tertulia_core::message::Room::new(name).ok_or(PublishError::UnknownRoom)
}
