//! The documented messages of the ring.
//!
//! | message | from → to | says |
//! |---|---|---|
//! | `STANDARD` | member → neighbour | a parcel; carried by the engine, named here for the trace |
//! | `JOIN` | newcomer → any member | let me in under this nick; here I can be dialled |
//! | `DISCOVERY_QUERY` | clockwise, round to the asker | does anybody hold this nick? |
//! | `DISCOVERY_ANSWER` | clockwise, on to the asker | yes, I do |
//! | `ACK` | receiver → sender | arrived; answers `CHANGE_PREC` with the receiver's own view |
//! | `CONNECTION_ACCEPTED` | asked member → newcomer | you are in: link there |
//! | `CONNECTION_REFUSED` | asked member → newcomer | the nick is taken |
//! | `CHANGE_PREC` | member → neighbour | on that side of you stands this member |
//! | `QUIT` | leaver → both neighbours | I go: on my side of you stands this member from now on |
//!
//! Every message carries a nonce. `JOIN` is answered by a verdict, everything else but `ACK` by an `ACK` with the
//! same nonce; what is not answered is sent again, and what arrives twice is answered twice and done once.

use std::sync::Arc;

use tertulia_core::id::PeerId;
use tertulia_core::peers::Addr;

pub use crate::place::Place;

/// The name under which parcels are traced.
pub const STANDARD: &str = "STANDARD";
/// Entries in a list of members at most.
pub const LIST_MAX: usize = 16;

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// `JOIN`
    Join = 1,
    /// `DISCOVERY_QUERY`
    Query = 2,
    /// `DISCOVERY_ANSWER`
    Answer = 3,
    /// `ACK`
    Ack = 4,
    /// `CONNECTION_ACCEPTED`
    Accepted = 5,
    /// `CONNECTION_REFUSED`
    Refused = 6,
    /// `CHANGE_PREC`
    ChangePrec = 7,
    /// `QUIT`
    Quit = 8,
}

impl Code {
    /// Every code.
    pub const ALL: [Code; 8] = [
        Code::Join,
        Code::Query,
        Code::Answer,
        Code::Ack,
        Code::Accepted,
        Code::Refused,
        Code::ChangePrec,
        Code::Quit,
    ];

    /// The message's documented name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Code::Join => "JOIN",
            Code::Query => "DISCOVERY_QUERY",
            Code::Answer => "DISCOVERY_ANSWER",
            Code::Ack => "ACK",
            Code::Accepted => "CONNECTION_ACCEPTED",
            Code::Refused => "CONNECTION_REFUSED",
            Code::ChangePrec => "CHANGE_PREC",
            Code::Quit => "QUIT",
        }
    }
}

/// A side of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Side {
    /// Counterclockwise.
    Predecessor = 0,
    /// Clockwise.
    Successor = 1,
}

/// The members around somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The nearest one counterclockwise.
    pub predecessor: Option<Place>,
    /// The nearest ones clockwise, nearest first.
    pub successors: Vec<Place>,
}

/// A message with the nonce that its answer repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Drawn by whoever wrote it first; relays keep it.
    pub nonce: u64,
    /// The message.
    pub msg: Msg,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Msg {
    /// Let me in.
    Join {
        /// The nick asked for.
        nick: Arc<str>,
        /// When it was claimed: milliseconds since the Unix epoch, by the newcomer's clock.
        claimed_at: u64,
        /// Where the newcomer can be dialled.
        addrs: Vec<Addr>,
    },
    /// Does anybody hold this nick?
    Query(Query),
    /// Somebody does.
    Answer {
        /// Members that have passed it on.
        hops: u16,
        /// The member that asked, for whom this is.
        asker: PeerId,
        /// The newcomer that wants the nick.
        newcomer: PeerId,
        /// Who holds it.
        holder: PeerId,
    },
    /// Arrived.
    Ack {
        /// What arrived.
        of: Code,
        /// The view of whoever received a `CHANGE_PREC`; empty otherwise.
        around: Around,
    },
    /// You are in.
    Accepted(Around),
    /// You are not: the nick is taken.
    Refused {
        /// Who holds it.
        holder: PeerId,
    },
    /// On that side of you stands this member.
    ChangePrec {
        /// The side.
        side: Side,
        /// The member.
        place: Place,
    },
    /// I go.
    Quit {
        /// The side of the receiver on which I stand.
        side: Side,
        /// Who stands there from now on.
        heir: Place,
        /// Who stands behind the heir.
        beyond: Vec<Place>,
    },
}

/// The body of a `DISCOVERY_QUERY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Members that have passed it on.
    pub hops: u16,
    /// The member that asks, to whom it comes back when nobody holds the nick.
    pub asker: PeerId,
    /// The newcomer that wants the nick.
    pub newcomer: PeerId,
    /// The nick.
    pub nick: Arc<str>,
    /// When the newcomer claimed it.
    pub claimed_at: u64,
}

impl Msg {
    /// Which message it is.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Msg::Join { .. } => Code::Join,
            Msg::Query(_) => Code::Query,
            Msg::Answer { .. } => Code::Answer,
            Msg::Ack { .. } => Code::Ack,
            Msg::Accepted(_) => Code::Accepted,
            Msg::Refused { .. } => Code::Refused,
            Msg::ChangePrec { .. } => Code::ChangePrec,
            Msg::Quit { .. } => Code::Quit,
        }
    }
}
