//! The messages of the mesh, and all of them as bytes: version, code, fields in order.
//!
//! | message | from → to | says |
//! |---|---|---|
//! | `JOIN` | newcomer → any member | let me in under this nick |
//! | `ACCEPTED` | asked member → newcomer | you are in |
//! | `REFUSED` | asked member → newcomer | the nick is taken |
//! | `MISSING` | member → neighbours | I have no link to these (everybody linked to everybody) |
//! | `PRUNE` | member → neighbour | only announce this origin's parcels to me |

use std::sync::Arc;

use bytes::Bytes;
use tertulia_core::id::PeerId;
use tertulia_core::peers::NICK_MAX;
use tertulia_core::wire::{Reader, WireError, Writer};

/// The version of the encoding; others are not understood.
const VERSION: u8 = 1;
/// Members that one `MISSING` names at most.
pub const MISSING_MAX: usize = 256;

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
        }
    }

    /// The message as bytes. Lists beyond their limits are cut.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        w.u8(VERSION);
        match self {
            Msg::Join { nonce, nick } => w.u8(1).u64(*nonce).text(nick),
            Msg::Accepted { nonce } => w.u8(2).u64(*nonce),
            Msg::Refused { nonce, holder } => w.u8(3).u64(*nonce).raw(&holder.0),
            Msg::Missing(ids) => {
                let n = ids.len().min(MISSING_MAX);
                w.u8(4).varint(n as u64);
                ids[..n].iter().fold(&mut w, |w, id| w.raw(&id.0))
            }
            Msg::Prune { origin } => w.u8(5).raw(&origin.0),
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
            2 => Msg::Accepted { nonce: r.u64()? },
            3 => Msg::Refused { nonce: r.u64()?, holder: r.peer_id()? },
            4 => {
                let n = r.count("members", MISSING_MAX, 32)?;
                Msg::Missing((0..n).map(|_| r.peer_id()).collect::<Result<_, _>>()?)
            }
            5 => Msg::Prune { origin: r.peer_id()? },
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
