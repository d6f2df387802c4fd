//! Parcels: consecutive messages of one origin, signed once.
//!
//! A parcel is never split or batched anew: it is the unit of dedupe, forwarding, repair and storage. Its header has a
//! fixed layout (below), the messages follow, and the origin's signature over the digest of all that closes it.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version |
//! | 1 | 1 | scope: 0 group, 1 direct, 2 acknowledgement of direct parcels |
//! | 2 | 2 | zero |
//! | 4 | 4 | group epoch |
//! | 8 | 32 | origin |
//! | 40 | 8 | incarnation |
//! | 48 | 8 | number within the stream, from 1 |
//! | 56 | 8 | number of the first message |
//! | 64 | 4 | messages |
//! | 68 | 4 | bytes of the body |
//! | 72 | 32 | digest of the previous parcel of the stream |
//! | 104 | 32 | recipient of a direct parcel |
//! | 136 | 8 | incarnation before this one, 0 for none |
//! | 144 | 8 | last number of the stream before this one |

use bytes::{BufMut, Bytes};

use crate::auth::{Auth, Signature};
use crate::id::{Digest, Incarnation, PeerId};
use crate::message::{self, Draft};
use crate::wire::{Reader, WireError};

/// The version of this layout.
pub const VERSION: u8 = 1;
/// Bytes of a header.
pub const HEADER: usize = 152;
/// Bytes of a signature.
pub const SIGNATURE: usize = 64;
/// Bytes of messages that one parcel gathers at most; one larger message stands alone.
pub const BODY_TARGET: usize = 64 << 10;
/// Bytes of a body at most: one message of the greatest size, its header, its room and what sealing adds.
pub const BODY_MAX: usize = message::PAYLOAD_MAX + 4096;

/// Whom a parcel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everybody.
    Group,
    /// One member; the body is sealed to it.
    Direct(PeerId),
    /// The origin of direct parcels: the number is how far they have arrived.
    Ack(PeerId),
}

impl Scope {
    /// The addressee, for a parcel that has one.
    #[must_use]
    pub fn to(&self) -> Option<PeerId> {
        match self {
            Scope::Group => None,
            Scope::Direct(to) | Scope::Ack(to) => Some(*to),
        }
    }
}

/// What a parcel says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whom it is for.
    pub scope: Scope,
    /// The group's epoch when it was signed.
    pub epoch: u32,
    /// Who signed it.
    pub origin: PeerId,
    /// The origin's run; of an acknowledgement: the run of the acknowledged origin.
    pub incarnation: Incarnation,
    /// Its number in the stream, from 1.
    pub number: u64,
    /// The number of its first message, from 1.
    pub first_seq: u64,
    /// How many messages it holds.
    pub count: u32,
    /// Digest of the parcel before it in the stream; zero for the first.
    pub prev: Digest,
    /// The origin's run before this one and the last parcel of that run's stream, as far as the origin knew.
    pub before: (Incarnation, u64),
}

/// A parcel: its header, parsed, and its bytes, as signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What it says of itself.
    pub header: Header,
    bytes: Bytes,
}

impl Parcel {
    /// Makes and signs a parcel of the draft's messages, in the draft's memory.
    #[must_use]
    pub fn sign(header: Header, draft: Draft, auth: &dyn Auth) -> (Parcel, Digest) {
        let len = draft.len() as u32;
        let mut out = draft.into_bytes();
        write_header(&mut out[..HEADER], &header, len);
        let digest = auth.digest(&[&out]);
        out.extend_from_slice(&auth.sign(&digest));
        (Parcel { header, bytes: Bytes::from(out) }, digest)
    }

    /// Reads a parcel. Lengths and codes are checked, the signature is not.
    pub fn parse(bytes: Bytes) -> Result<Parcel, WireError> {
        let mut r = Reader::new(&bytes);
        if r.u8()? != VERSION {
            return Err(WireError::Range("parcel version"));
        }
        let scope = r.u8()?;
        if r.u16()? != 0 {
            return Err(WireError::Range("parcel flags"));
        }
        let epoch = r.u32()?;
        let origin = r.peer_id()?;
        let (incarnation, number, first_seq) = (Incarnation(r.u64()?), r.u64()?, r.u64()?);
        let (count, len) = (r.u32()?, r.u32()? as usize);
        let prev = Digest(r.array()?);
        let to = r.peer_id()?;
        let before = (Incarnation(r.u64()?), r.u64()?);
        if len > BODY_MAX || r.left().len() != len + SIGNATURE {
            return Err(WireError::Range("parcel length"));
        }
        let scope = match scope {
            0 => Scope::Group,
            1 => Scope::Direct(to),
            2 => Scope::Ack(to),
            _ => return Err(WireError::Range("parcel scope")),
        };
        let numbered = number > 0 && first_seq > 0 && number <= u64::MAX / 2 && first_seq <= u64::MAX / 2;
        match scope {
            Scope::Ack(_) if count == 0 && len == 0 => {}
            Scope::Group if count > 0 && numbered => message::check(r.bytes(len)?, count)?,
            Scope::Direct(_) if count > 0 && numbered => {}
            _ => return Err(WireError::Range("parcel count")),
        }
        let header = Header { scope, epoch, origin, incarnation, number, first_seq, count, prev, before };
        Ok(Parcel { header, bytes })
    }

    /// The digest that is signed and that the next parcel of the stream names.
    #[must_use]
    pub fn digest(&self, auth: &dyn Auth) -> Digest {
        auth.digest(&[&self.bytes[..self.bytes.len() - SIGNATURE]])
    }

    /// Checks the origin's signature; the digest when it holds.
    #[must_use]
    pub fn verify(&self, auth: &dyn Auth) -> Option<Digest> {
        let digest = self.digest(auth);
        let signature: &Signature = self.bytes.last_chunk()?;
        auth.verify(&self.header.origin, &digest, signature).then_some(digest)
    }

    /// The parcel as it stands on the wire.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The messages, or what they are sealed into.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.bytes.slice(HEADER..self.bytes.len() - SIGNATURE)
    }

    /// The number that the next message of the stream has.
    #[must_use]
    pub fn end_seq(&self) -> u64 {
        self.header.first_seq + u64::from(self.header.count)
    }

    /// The same parcel in memory of its own when it is a small part of a shared buffer that it would keep alive.
    #[must_use]
    pub fn compact(self) -> Parcel {
        const SMALL: usize = 16 << 10;
        match self.bytes.len() {
            n if n <= SMALL => Parcel { bytes: Bytes::copy_from_slice(&self.bytes), ..self },
            _ => self,
        }
    }
}

fn write_header(mut out: &mut [u8], h: &Header, body: u32) {
    let scope = match h.scope {
        Scope::Group => 0,
        Scope::Direct(_) => 1,
        Scope::Ack(_) => 2,
    };
    out.put_slice(&[VERSION, scope, 0, 0]);
    out.put_u32_le(h.epoch);
    out.put_slice(&h.origin.0);
    out.put_u64_le(h.incarnation.0);
    out.put_u64_le(h.number);
    out.put_u64_le(h.first_seq);
    out.put_u32_le(h.count);
    out.put_u32_le(body);
    out.put_slice(&h.prev.0);
    out.put_slice(&h.scope.to().unwrap_or_default().0);
    out.put_u64_le(h.before.0.0);
    out.put_u64_le(h.before.1);
}
