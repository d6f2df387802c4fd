//! The messages of the mesh, and all of them as bytes: version, code, fields in order.
//!
//! | message | from → to | says |
//! |---|---|---|
//! | `JOIN` | newcomer → any member | let me in under this nick |
//! | `ACCEPTED` | asked member → newcomer | you are in, and these are there |
//! | `REFUSED` | asked member → newcomer | the nick is taken |
//! | `MISSING` | member → neighbours | I have no link to these (everybody linked to everybody) |
//! | `PRUNE` | member → neighbour | only announce this origin's parcels to me |
//! | `FORWARD_JOIN` | newcomer → contact, on at random | somebody is new: whoever it ends at links to it |
//! | `NEIGHBOUR` | member → member | be my neighbour; how urgent that is |
//! | `NEIGHBOUR_ANSWER` | asked member → asking one | yes, or no |
//! | `KEEP` | member → neighbour | you are my neighbour, and this one lives |
//! | `DISCONNECT` | member → neighbour | you are not my neighbour any more |
//! | `SHUFFLE` | member → neighbour, on at random | these I know of |
//! | `SHUFFLE_REPLY` | where it ends → back the same way | and I of these |
//!
//! Those after `PRUNE` belong to `view = "active"`, and are HyParView's.

use std::sync::Arc;

use bytes::Bytes;
use tertulia_core::id::PeerId;
use tertulia_core::peers::NICK_MAX;
use tertulia_core::wire::{Reader, WireError, Writer};

pub use crate::place::Place;
use crate::place::{get_place, get_places, put_place, put_places};

/// The version of the encoding; others are not understood.
const VERSION: u8 = 1;
/// Members that one `MISSING` names at most.
pub const MISSING_MAX: usize = 256;
/// Places that one message names at most.
pub const PLACES_MAX: usize = 16;

/// How much a member needs a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Need {
    /// It has others: the asked one takes it if there is room.
    Low = 0,
    /// It has one or none: the asked one makes room.
    High = 1,
    /// Groups that were apart have met: the asked one makes room if it has seen that too.
    Reunion = 2,
}

/// What members say to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Msg {
    /// Let me in.
    Join {
        /// Repeated by the answer.
        nonce: u64,
        /// The nick asked for.
        nick: Arc<str>,
    },
    /// You are in.
    Accepted {
        /// Of the `JOIN`.
        nonce: u64,
        /// Some members.
        places: Vec<Place>,
    },
    /// The nick is taken.
    Refused {
        /// Of the `JOIN`.
        nonce: u64,
        /// Who holds it.
        holder: PeerId,
    },
    /// I have no link to these.
    Missing(Vec<PeerId>),
    /// Only announce this origin's parcels to me.
    Prune {
        /// Whose.
        origin: PeerId,
    },
    /// Somebody is new.
    ForwardJoin {
        /// Links that this may still cross.
        ttl: u8,
        /// Who.
        newcomer: Place,
    },
    /// Be my neighbour.
    Neighbour {
        /// Repeated by the answer.
        nonce: u64,
        /// How urgent it is.
        need: Need,
    },
    /// Whether I am your neighbour.
    NeighbourAnswer {
        /// Of the `NEIGHBOUR`.
        nonce: u64,
        /// Yes.
        yes: bool,
    },
    /// You are my neighbour.
    Keep {
        /// The lowest live member heard of.
        lowest: PeerId,
        /// How far that has counted; zero when nobody was heard of.
        count: u64,
    },
    /// You are not my neighbour any more.
    Disconnect {
        /// I leave the group.
        leaving: bool,
    },
    /// These I know of.
    Shuffle {
        /// Repeated by the reply.
        nonce: u64,
        /// Links that this may still cross.
        ttl: u8,
        /// Whose it is.
        origin: Place,
        /// Whom it knows of.
        places: Vec<Place>,
    },
    /// And I of these.
    ShuffleReply {
        /// Of the `SHUFFLE`.
        nonce: u64,
        /// Whom it knows of.
        places: Vec<Place>,
    },
}

impl Msg {
    /// The message's name, for the log and `/trace`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Msg::Join { .. } => "JOIN",
            Msg::Accepted { .. } => "ACCEPTED",
            Msg::Refused { .. } => "REFUSED",
            Msg::Missing(_) => "MISSING",
            Msg::Prune { .. } => "PRUNE",
            Msg::ForwardJoin { .. } => "FORWARD_JOIN",
            Msg::Neighbour { .. } => "NEIGHBOUR",
            Msg::NeighbourAnswer { .. } => "NEIGHBOUR_ANSWER",
            Msg::Keep { .. } => "KEEP",
            Msg::Disconnect { .. } => "DISCONNECT",
            Msg::Shuffle { .. } => "SHUFFLE",
            Msg::ShuffleReply { .. } => "SHUFFLE_REPLY",
        }
    }

    /// The message as bytes. Lists beyond their limits are cut.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        w.u8(VERSION);
        match self {
            Msg::Join { nonce, nick } => w.u8(1).u64(*nonce).text(nick),
            Msg::Accepted { nonce, places } => put_places(w.u8(2).u64(*nonce), places, PLACES_MAX),
            Msg::Refused { nonce, holder } => w.u8(3).u64(*nonce).raw(&holder.0),
            Msg::Missing(ids) => {
                let n = ids.len().min(MISSING_MAX);
                w.u8(4).varint(n as u64);
                ids[..n].iter().fold(&mut w, |w, id| w.raw(&id.0))
            }
            Msg::Prune { origin } => w.u8(5).raw(&origin.0),
            Msg::ForwardJoin { ttl, newcomer } => put_place(w.u8(6).u8(*ttl), newcomer),
            Msg::Neighbour { nonce, need } => w.u8(7).u64(*nonce).u8(*need as u8),
            Msg::NeighbourAnswer { nonce, yes } => w.u8(8).u64(*nonce).u8(u8::from(*yes)),
            Msg::Keep { lowest, count } => w.u8(9).raw(&lowest.0).u64(*count),
            Msg::Disconnect { leaving } => w.u8(10).u8(u8::from(*leaving)),
            Msg::Shuffle { nonce, ttl, origin, places } => {
                put_places(put_place(w.u8(11).u64(*nonce).u8(*ttl), origin), places, PLACES_MAX)
            }
            Msg::ShuffleReply { nonce, places } => put_places(w.u8(12).u64(*nonce), places, PLACES_MAX),
        };
        w.finish()
    }

    /// A message from bytes.
    ///
    /// # Errors
    /// The bytes are no message of this version, or something in it is beyond its limit.
    pub fn decode(bytes: &[u8]) -> Result<Msg, WireError> {
        let mut r = Reader::new(bytes);
        if r.u8()? != VERSION {
            return Err(WireError::Range("version"));
        }
        let msg = match r.u8()? {
            1 => Msg::Join { nonce: r.u64()?, nick: get_nick(&mut r)? },
            2 => Msg::Accepted { nonce: r.u64()?, places: get_places(&mut r, PLACES_MAX)? },
            3 => Msg::Refused { nonce: r.u64()?, holder: r.peer_id()? },
            4 => {
                let n = r.count("members", MISSING_MAX, 32)?;
                Msg::Missing((0..n).map(|_| r.peer_id()).collect::<Result<_, _>>()?)
            }
            5 => Msg::Prune { origin: r.peer_id()? },
            6 => Msg::ForwardJoin { ttl: r.u8()?, newcomer: get_place(&mut r)? },
            7 => Msg::Neighbour { nonce: r.u64()?, need: get_need(&mut r)? },
            8 => Msg::NeighbourAnswer { nonce: r.u64()?, yes: get_bool(&mut r)? },
            9 => Msg::Keep { lowest: r.peer_id()?, count: r.u64()? },
            10 => Msg::Disconnect { leaving: get_bool(&mut r)? },
            11 => Msg::Shuffle {
                nonce: r.u64()?,
                ttl: r.u8()?,
                origin: get_place(&mut r)?,
                places: get_places(&mut r, PLACES_MAX)?,
            },
            12 => Msg::ShuffleReply { nonce: r.u64()?, places: get_places(&mut r, PLACES_MAX)? },
            _ => return Err(WireError::Range("code")),
        };
        r.end()?;
        Ok(msg)
    }
}

fn get_nick(r: &mut Reader<'_>) -> Result<Arc<str>, WireError> {
    let nick = r.text("nick", NICK_MAX)?;
    if nick.is_empty() { Err(WireError::Range("nick")) } else { Ok(Arc::from(nick)) }
}

fn get_bool(r: &mut Reader<'_>) -> Result<bool, WireError> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(WireError::Range("yes or no")),
    }
}

fn get_need(r: &mut Reader<'_>) -> Result<Need, WireError> {
    let byte = r.u8()?;
    let all = [Need::Low, Need::High, Need::Reunion];
    all.into_iter().find(|&need| need as u8 == byte).ok_or(WireError::Range("need"))
}
