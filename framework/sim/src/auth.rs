//! Authentication for simulated nodes: a keyed hash where live programs have Ed25519, with equal sizes.

use tertulia_core::auth::{Auth, Signature};
use tertulia_core::id::{Digest, PeerId, SealKey};

use crate::hash::{bytes32, narrow, wide};

const SIGN: u64 = 1;
const SEAL: u64 = 2;
const DIGEST: u64 = 3;
const ID: u64 = 4;
/// Bytes that sealing adds: an ephemeral key and a tag, as long as the live ones.
pub const SEAL_OVERHEAD: usize = 32 + 16;

/// The signatures of one simulated node. All nodes of a run share the run's key, so any of them can check any
/// other's; bytes that were altered, or signed for another id, do not verify.
#[derive(Clone, Copy, Debug)]
pub struct SimAuth {
    key: u64,
    me: PeerId,
}

impl SimAuth {
    /// The identity of `node` in the run of `key`.
    #[must_use]
    pub fn new(key: u64, node: u32) -> Self {
        SimAuth { key, me: peer_id(key, node) }
    }

    fn stream(&self, to: &SealKey, context: &[u8], nonce: &[u8]) -> u64 {
        let context = narrow(self.key ^ SEAL, context);
        let secret = narrow(context, &to.0);
        narrow(secret, nonce)
    }
}

/// The id of `node`, spread uniformly over all ids. The last four bytes hide the number, so that no table is needed
/// to find the node again.
#[must_use]
pub fn peer_id(key: u64, node: u32) -> PeerId {
    let mut id = bytes32(wide(key ^ ID, &node.to_le_bytes()));
    let veil = veil(key, &id);
    id[28..].copy_from_slice(&(node ^ veil).to_le_bytes());
    PeerId(id)
}

/// The node that has this id; `None` for ids of nobody.
#[must_use]
pub fn node_of(key: u64, id: &PeerId) -> Option<u32> {
    let node = number(key, id);
    (peer_id(key, node) == *id).then_some(node)
}

/// The node that has this id, if any has.
pub(crate) fn number(key: u64, id: &PeerId) -> u32 {
    let tail = id.0.last_chunk().copied().unwrap_or_default();
    u32::from_le_bytes(tail) ^ veil(key, &id.0)
}

fn veil(key: u64, id: &[u8; 32]) -> u32 {
    narrow(key ^ ID, &id[..28]) as u32
}

/// What `id` seals to.
fn seal_key(key: u64, id: &PeerId) -> SealKey {
    SealKey(bytes32(wide(key ^ SEAL, &id.0)))
}

fn apply(stream: u64, bytes: &mut [u8]) {
    for (i, chunk) in bytes.chunks_mut(32).enumerate() {
        let pad = bytes32(wide(stream, &(i as u64).to_le_bytes()));
        chunk.iter_mut().zip(pad).for_each(|(b, p)| *b ^= p);
    }
}

impl Auth for SimAuth {
    fn me(&self) -> PeerId {
        self.me
    }

    fn seal_key(&self) -> SealKey {
        seal_key(self.key, &self.me)
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let words = match parts {
            [one] => wide(self.key ^ DIGEST, one),
            many => wide(self.key ^ DIGEST, &many.concat()),
        };
        Digest(bytes32(words))
    }

    fn sign(&self, digest: &Digest) -> Signature {
        signature(self.key, &self.me, digest)
    }

    fn verify(&self, who: &PeerId, digest: &Digest, given: &Signature) -> bool {
        signature(self.key, who, digest) == *given
    }

    fn seal(&self, to: &SealKey, context: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let nonce = bytes32(wide(narrow(self.key ^ SEAL, plain), &self.me.0));
        let stream = self.stream(to, context, &nonce);
        let mut out = Vec::with_capacity(plain.len() + SEAL_OVERHEAD);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        apply(stream, &mut out[32..]);
        let tag = wide(stream, &out);
        out.extend_from_slice(&bytes32(tag)[..16]);
        Some(out)
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (body, tag) = sealed.split_at_checked(sealed.len().checked_sub(16)?)?;
        let (nonce, cipher) = body.split_at_checked(32)?;
        let stream = self.stream(&self.seal_key(), context, nonce);
        if bytes32(wide(stream, body))[..16] != *tag {
            return None;
        }
        let mut plain = cipher.to_vec();
        apply(stream, &mut plain);
        Some(plain)
    }
}

fn signature(key: u64, who: &PeerId, digest: &Digest) -> Signature {
    let secret = narrow(key ^ SIGN, &who.0);
    let first = bytes32(wide(secret, &digest.0));
    let second = bytes32(wide(!secret, &digest.0));
    let mut out = [0u8; 64];
    out[..32].copy_from_slice(&first);
    out[32..].copy_from_slice(&second);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_nodes() {
        for node in [0, 1, 2, 77, 999_999, u32::MAX] {
            assert_eq!(node_of(5, &peer_id(5, node)), Some(node));
            assert_eq!(node_of(6, &peer_id(5, node)), None);
        }
        assert_eq!(node_of(5, &PeerId([3; 32])), None);
    }

    #[test]
    fn signatures_hold_for_one_id_and_one_digest() {
        let (a, b) = (SimAuth::new(1, 0), SimAuth::new(1, 1));
        let digest = a.digest(&[b"ab", b"c"]);
        assert_eq!(digest, a.digest(&[b"abc"]));
        let mut s = a.sign(&digest);
        assert!(b.verify(&a.me(), &digest, &s));
        assert!(!b.verify(&b.me(), &digest, &s));
        assert!(!b.verify(&a.me(), &a.digest(&[b"abd"]), &s));
        s[63] ^= 1;
        assert!(!b.verify(&a.me(), &digest, &s));
    }

    #[test]
    fn sealing_is_for_one_recipient_and_context() {
        let (a, b, c) = (SimAuth::new(1, 0), SimAuth::new(1, 1), SimAuth::new(1, 2));
        let sealed = a.seal(&b.seal_key(), b"ctx", b"secret words").unwrap();
        assert_eq!(sealed.len(), 12 + SEAL_OVERHEAD);
        assert_eq!(b.open(b"ctx", &sealed).as_deref(), Some(&b"secret words"[..]));
        assert_eq!(b.open(b"other", &sealed), None);
        assert_eq!(c.open(b"ctx", &sealed), None);
        assert_eq!(b.open(b"ctx", &sealed[..20]), None);
    }
}
