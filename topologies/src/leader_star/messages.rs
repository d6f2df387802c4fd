//! The messages of the star beside those of the election, and all of them as bytes: version, code, fields in order.
//!
//! | message | from → to | says |
//! |---|---|---|
//! | `JOIN` | newcomer → any member | let me in under this nick; here I can be dialled |
//! | `REDIRECT` | member → newcomer | ask the leader, who is there |
//! | `ACCEPTED` | leader → newcomer | you are in |
//! | `REFUSED` | leader → newcomer | the nick is taken |
//! | `ORDER` | leader → follower | these parcels come next (in a star) |
//! | `ORDER_ASK` | follower → leader | from here on I have missed it |
//! | `ORDER_BASE` | leader → follower | so far the order has come |
//!
//! Heartbeats, votes and what belongs to them: [`election::Message`](crate::election::Message). A `LEADER` is followed by
//! places: where those on the list can be dialled that came lately.

use std::sync::Arc;

use bytes::Bytes;
use tertulia_core::ballot::Ballot;
use tertulia_core::id::{Incarnation, PeerId};
use tertulia_core::peers::{Addr, NICK_MAX};
use tertulia_core::wire::{Reader, WireError, Writer};

use super::order::STEPS_MAX;
use crate::election::Message;
pub use crate::place::Place;
use crate::place::{get_addrs, get_places, put_addrs, put_places};

/// The version of the encoding; others are not understood.
const VERSION: u8 = 1;
/// Places that one message names at most.
pub const PLACES_MAX: usize = 64;

/// A stream, and up to where it goes.
pub type Step = (PeerId, Incarnation, u64);

/// What members say to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Msg {
    /// A message of the election; a `LEADER` says where those on the list can be dialled that came lately.
    Election(Message, Vec<Place>),
    /// Let me in.
    Join {
        /// Repeated by the answer.
        nonce: u64,
        /// The nick asked for.
        nick: Arc<str>,
        /// When it was claimed: milliseconds since the Unix epoch, by the newcomer's clock.
        claimed_at: u64,
        /// Where the newcomer can be dialled.
        addrs: Vec<Addr>,
    },
    /// Ask the leader.
    Redirect {
        /// Of the `JOIN`.
        nonce: u64,
        /// Who leads.
        leader: PeerId,
        /// Where it can be dialled.
        addrs: Vec<Addr>,
    },
    /// You are in.
    Accepted {
        /// Of the `JOIN`.
        nonce: u64,
    },
    /// These come next.
    Order {
        /// The leader's ballot.
        ballot: Ballot,
        /// The number of the first step; without steps, of the one that will come.
        first: u64,
        /// Streams, each up to a number.
        steps: Vec<Step>,
    },
    /// Steps are missing.
    OrderAsk {
        /// The leader's ballot.
        ballot: Ballot,
        /// The number of the first one missing, zero for whoever knows none.
        next: u64,
    },
    /// So far the order has come.
    OrderBase {
        /// The leader's ballot.
        ballot: Ballot,
        /// The number of the step that comes next.
        next: u64,
        /// How far every stream has come.
        steps: Vec<Step>,
    },
    /// The nick is taken.
    Refused {
        /// Of the `JOIN`.
        nonce: u64,
        /// Who holds it.
        holder: PeerId,
    },
}

impl Msg {
    /// The message's name, for the log and `/trace`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Msg::Election(message, _) => message.name(),
            Msg::Join { .. } => "JOIN",
            Msg::Redirect { .. } => "REDIRECT",
            Msg::Accepted { .. } => "ACCEPTED",
            Msg::Refused { .. } => "REFUSED",
            Msg::Order { .. } => "ORDER",
            Msg::OrderAsk { .. } => "ORDER_ASK",
            Msg::OrderBase { .. } => "ORDER_BASE",
        }
    }

    /// The message as bytes. Places and addresses beyond their limits are left out.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        w.u8(VERSION);
        match self {
            Msg::Election(message, places) => {
                message.write(&mut w);
                if matches!(message, Message::Lead { .. }) {
                    put_places(&mut w, places, PLACES_MAX);
                }
            }
            Msg::Join { nonce, nick, claimed_at, addrs } => {
                put_addrs(w.u8(16).u64(*nonce).text(nick).u64(*claimed_at), addrs);
            }
            Msg::Redirect { nonce, leader, addrs } => {
                put_addrs(w.u8(17).u64(*nonce).raw(&leader.0), addrs);
            }
            Msg::Accepted { nonce } => {
                w.u8(18).u64(*nonce);
            }
            Msg::Refused { nonce, holder } => {
                w.u8(19).u64(*nonce).raw(&holder.0);
            }
            Msg::Order { ballot, first, steps } => put_steps(w.u8(20).u64(*first), ballot, steps),
            Msg::OrderAsk { ballot, next } => ballot.write(w.u8(21).u64(*next)),
            Msg::OrderBase { ballot, next, steps } => put_steps(w.u8(22).u64(*next), ballot, steps),
        }
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
        let code = *r.left().first().ok_or(WireError::Short)?;
        let msg = if Message::CODES.contains(&code) {
            let message = Message::read(&mut r)?;
            let leads = matches!(message, Message::Lead { .. });
            let places = if leads { get_places(&mut r, PLACES_MAX)? } else { Vec::new() };
            Msg::Election(message, places)
        } else {
            Msg::read_own(&mut r)?
        };
        r.end()?;
        Ok(msg)
    }

    fn read_own(r: &mut Reader<'_>) -> Result<Msg, WireError> {
        let (code, nonce) = (r.u8()?, r.u64()?);
        Ok(match code {
            16 => {
                let nick = r.text("nick", NICK_MAX)?;
                if nick.is_empty() {
                    return Err(WireError::Range("nick"));
                }
                Msg::Join { nonce, nick: Arc::from(nick), claimed_at: r.u64()?, addrs: get_addrs(r)? }
            }
            17 => Msg::Redirect { nonce, leader: r.peer_id()?, addrs: get_addrs(r)? },
            18 => Msg::Accepted { nonce },
            19 => Msg::Refused { nonce, holder: r.peer_id()? },
            20 => Msg::Order { first: place(nonce)?, ballot: Ballot::read(r)?, steps: get_steps(r)? },
            21 => Msg::OrderAsk { next: place(nonce)?, ballot: Ballot::read(r)? },
            22 => Msg::OrderBase { next: place(nonce)?, ballot: Ballot::read(r)?, steps: get_steps(r)? },
            _ => return Err(WireError::Range("code")),
        })
    }
}

/// A step's number: no order comes so far.
fn place(number: u64) -> Result<u64, WireError> {
    if number > u64::MAX / 2 { Err(WireError::Range("place")) } else { Ok(number) }
}

fn put_steps(w: &mut Writer, ballot: &Ballot, steps: &[Step]) {
    ballot.write(w);
    let n = steps.len().min(STEPS_MAX);
    w.varint(n as u64);
    for (origin, run, number) in &steps[..n] {
        w.raw(&origin.0).u64(run.0).u64(*number);
    }
}

fn get_steps(r: &mut Reader<'_>) -> Result<Vec<Step>, WireError> {
    let n = r.count("steps", STEPS_MAX, 48)?;
    (0..n).map(|_| Ok((r.peer_id()?, Incarnation(r.u64()?), r.u64()?))).collect()
}
