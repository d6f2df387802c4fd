//! The messages as bytes: version, code, nonce (8 bytes, little-endian), then the fields in order.

use std::sync::Arc;

use bytes::Bytes;
use tertulia_core::peers::NICK_MAX;
use tertulia_core::wire::{Reader, WireError, Writer};

use super::messages::{Around, Code, LIST_MAX, Letter, Msg, Query, Side};
use crate::place::{get_addrs, get_place, get_places, put_addrs, put_place, put_places};

/// The version of the encoding; others are not understood.
const VERSION: u8 = 1;

impl Letter {
    /// The letter as bytes. Lists and addresses beyond their limits are left out.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        w.u8(VERSION).u8(self.msg.code() as u8).u64(self.nonce);
        match &self.msg {
            Msg::Join { nick, claimed_at, addrs } => {
                w.text(nick).u64(*claimed_at);
                put_addrs(&mut w, addrs);
            }
            Msg::Query(q) => {
                w.u16(q.hops).raw(&q.asker.0).raw(&q.newcomer.0).text(&q.nick).u64(q.claimed_at);
            }
            Msg::Answer { hops, asker, newcomer, holder } => {
                w.u16(*hops).raw(&asker.0).raw(&newcomer.0).raw(&holder.0);
            }
            Msg::Ack { of, around } => {
                w.u8(*of as u8);
                put_around(&mut w, around);
            }
            Msg::Accepted(around) => put_around(&mut w, around),
            Msg::Refused { holder } => {
                w.raw(&holder.0);
            }
            Msg::ChangePrec { side, place } => {
                w.u8(*side as u8);
                put_place(&mut w, place);
            }
            Msg::Quit { side, heir, beyond } => {
                w.u8(*side as u8);
                put_place(&mut w, heir);
                put_places(&mut w, beyond, LIST_MAX);
            }
        }
        w.finish()
    }

    /// A letter from bytes.
    ///
    /// # Errors
    /// The bytes are no letter of this version, or something in it is beyond its limit.
    pub fn decode(bytes: &[u8]) -> Result<Letter, WireError> {
        let mut r = Reader::new(bytes);
        if r.u8()? != VERSION {
            return Err(WireError::Range("version"));
        }
        let code = get_code(&mut r)?;
        let nonce = r.u64()?;
        let msg = match code {
            Code::Join => {
                Msg::Join { nick: get_nick(&mut r)?, claimed_at: r.u64()?, addrs: get_addrs(&mut r)? }
            }
            Code::Query => Msg::Query(Query {
                hops: r.u16()?,
                asker: r.peer_id()?,
                newcomer: r.peer_id()?,
                nick: get_nick(&mut r)?,
                claimed_at: r.u64()?,
            }),
            Code::Answer => Msg::Answer {
                hops: r.u16()?,
                asker: r.peer_id()?,
                newcomer: r.peer_id()?,
                holder: r.peer_id()?,
            },
            Code::Ack => Msg::Ack { of: get_code(&mut r)?, around: get_around(&mut r)? },
            Code::Accepted => Msg::Accepted(get_around(&mut r)?),
            Code::Refused => Msg::Refused { holder: r.peer_id()? },
            Code::ChangePrec => Msg::ChangePrec { side: get_side(&mut r)?, place: get_place(&mut r)? },
            Code::Quit => Msg::Quit {
                side: get_side(&mut r)?,
                heir: get_place(&mut r)?,
                beyond: get_places(&mut r, LIST_MAX)?,
            },
        };
        r.end()?;
        Ok(Letter { nonce, msg })
    }
}

fn get_code(r: &mut Reader<'_>) -> Result<Code, WireError> {
    let byte = r.u8()?;
    Code::ALL.into_iter().find(|&code| code as u8 == byte).ok_or(WireError::Range("code"))
}

fn get_side(r: &mut Reader<'_>) -> Result<Side, WireError> {
    match r.u8()? {
        0 => Ok(Side::Predecessor),
        1 => Ok(Side::Successor),
        _ => Err(WireError::Range("side")),
    }
}

fn get_nick(r: &mut Reader<'_>) -> Result<Arc<str>, WireError> {
    let nick = r.text("nick", NICK_MAX)?;
    if nick.is_empty() { Err(WireError::Range("nick")) } else { Ok(Arc::from(nick)) }
}

fn put_around(w: &mut Writer, around: &Around) {
    w.u8(u8::from(around.predecessor.is_some()));
    if let Some(place) = &around.predecessor {
        put_place(w, place);
    }
    put_places(w, &around.successors, LIST_MAX);
}

fn get_around(r: &mut Reader<'_>) -> Result<Around, WireError> {
    let predecessor = match r.u8()? {
        0 => None,
        1 => Some(get_place(r)?),
        _ => return Err(WireError::Range("predecessor")),
    };
    Ok(Around { predecessor, successors: get_places(r, LIST_MAX)? })
}
