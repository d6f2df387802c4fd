//! What a member says of itself, signed: nick, addresses, key for direct messages, goodbye.

use std::sync::Arc;

use bytes::Bytes;

use crate::auth::Auth;
use crate::id::{Incarnation, PeerId, SealKey};
use crate::peers::{ADDR_MAX, ADDRS_MAX, Addr, NICK_MAX};
use crate::wire::{Reader, WireError, Writer};

/// Bytes of a record at most.
pub(crate) const RECORD_MAX: usize =
    32 + 8 + 8 + 1 + (1 + NICK_MAX) + 8 + 32 + 1 + ADDRS_MAX * (2 + ADDR_MAX) + 64;

/// A member's own statement. Among those of one member the highest (incarnation, version) counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: PeerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) version: u64,
    pub(crate) left: bool,
    pub(crate) nick: Arc<str>,
    pub(crate) claimed_at: u64,
    pub(crate) seal_key: SealKey,
    pub(crate) addrs: Vec<Addr>,
}

impl Record {
    /// The record's bytes with the member's signature.
    pub(crate) fn sign(&self, auth: &dyn Auth) -> Bytes {
        let mut w = Writer::new();
        w.raw(&self.id.0).u64(self.incarnation.0).u64(self.version).u8(u8::from(self.left));
        w.text(&self.nick).u64(self.claimed_at).raw(&self.seal_key.0).u8(self.addrs.len() as u8);
        for addr in &self.addrs {
            w.text(addr);
        }
        let mut bytes = Vec::from(w.finish());
        let signature = auth.sign(&digest(auth, &bytes));
        bytes.extend_from_slice(&signature);
        Bytes::from(bytes)
    }

    /// Reads a record without checking its signature.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Record, WireError> {
        let (body, _) = bytes.split_last_chunk::<64>().ok_or(WireError::Short)?;
        let mut r = Reader::new(body);
        let id = r.peer_id()?;
        let (incarnation, version) = (Incarnation(r.u64()?), r.u64()?);
        let left = r.u8()? != 0;
        let nick = r.text("nick", NICK_MAX)?;
        if nick.is_empty() {
            return Err(WireError::Range("nick"));
        }
        let claimed_at = r.u64()?;
        let seal_key = SealKey(r.array()?);
        let n = usize::from(r.u8()?);
        if n > ADDRS_MAX {
            return Err(WireError::Range("addresses"));
        }
        let addrs = (0..n).map(|_| r.text("address", ADDR_MAX).map(Addr::from)).collect::<Result<_, _>>()?;
        r.end()?;
        Ok(Record { id, incarnation, version, left, nick: nick.into(), claimed_at, seal_key, addrs })
    }

    /// True when the bytes that this record was read from carry its member's signature.
    pub(crate) fn verify(&self, bytes: &[u8], auth: &dyn Auth) -> bool {
        bytes
            .split_last_chunk::<64>()
            .is_some_and(|(body, signature)| auth.verify(&self.id, &digest(auth, body), signature))
    }
}

fn digest(auth: &dyn Auth, body: &[u8]) -> crate::id::Digest {
    auth.digest(&[b"tertulia member record", body])
}
