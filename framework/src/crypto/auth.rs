//! Authentication of a live program: Ed25519, BLAKE3, and direct messages sealed with Noise N.

use std::sync::Arc;

use snow::Builder;
use tertulia_core::auth::{Auth, Signature};
use tertulia_core::id::{Digest, PeerId, SealKey};

use super::seal::{Aes, TAG};
use super::{GroupKey, Identity, dh};
use crate::link::{Opener, Sealer};

/// One-way handshake to a known key: the sender's ephemeral key and a tag, then the text.
const PATTERN: &str = "Noise_N_25519_AESGCM_SHA256";
const EPHEMERAL: usize = 32;
const HEAD: usize = EPHEMERAL + TAG;

/// [`Auth`] of one identity in one group.
///
/// A direct message is sealed by the one-way Noise pattern N to the recipient's key with its context as prologue.
/// The text itself is sealed by the key that the pattern yields, in one piece of any length. Who sealed it follows from the
/// parcel's signature, not from the seal.
#[derive(Clone, Debug)]
pub struct LiveAuth {
    identity: Arc<Identity>,
    group: Arc<GroupKey>,
}

impl LiveAuth {
    /// The authentication of `identity` in `group`.
    #[must_use]
    pub fn new(identity: Arc<Identity>, group: Arc<GroupKey>) -> Self {
        LiveAuth { identity, group }
    }

    fn signed(digest: &Digest) -> [u8; 48] {
        let mut message = *b"tertulia parcel\0................................";
        message[16..].copy_from_slice(&digest.0);
        message
    }
}

impl Auth for LiveAuth {
    fn me(&self) -> PeerId {
        self.identity.id()
    }

    fn seal_key(&self) -> SealKey {
        self.identity.seal_key()
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut hasher = blake3::Hasher::new_keyed(self.group.digest_key());
        for part in parts {
            hasher.update(part);
        }
        Digest(*hasher.finalize().as_bytes())
    }

    fn sign(&self, digest: &Digest) -> Signature {
        self.identity.sign(&Self::signed(digest))
    }

    fn verify(&self, who: &PeerId, digest: &Digest, signature: &Signature) -> bool {
        Identity::verify(who, &Self::signed(digest), signature)
    }

    fn seal(&self, to: &SealKey, context: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        if to.0 == [0; 32] {
            return None;
        }
        let mut state = dh::builder(PATTERN.parse().ok()?)
            .prologue(context)
            .and_then(|b| b.remote_public_key(&to.0))
            .and_then(Builder::build_initiator)
            .ok()?;
        let mut sealed = Vec::with_capacity(HEAD + plain.len() + TAG);
        sealed.resize(HEAD, 0);
        state.write_message(&[], &mut sealed).ok().filter(|n| *n == HEAD)?;
        sealed.extend_from_slice(plain);
        sealed.resize(HEAD + plain.len() + TAG, 0);
        let (key, _) = state.dangerously_get_raw_split();
        Aes::new(&key)?.seal(0, &[], sealed.get_mut(HEAD..)?).ok()?;
        Some(sealed)
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (head, text) = sealed.split_at_checked(HEAD)?;
        let mut state = dh::builder(PATTERN.parse().ok()?)
            .prologue(context)
            .and_then(|b| b.local_private_key(&self.identity.seal_pair().secret))
            .and_then(Builder::build_responder)
            .ok()?;
        state.read_message(head, &mut [0; TAG]).ok().filter(|n| *n == 0)?;
        let (key, _) = state.dangerously_get_raw_split();
        let mut plain = text.to_vec();
        let len = Aes::new(&key)?.open(0, &[], &mut plain).ok()?;
        plain.truncate(len);
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::GroupSecret;

    fn auth(seed: u8, secret: u8) -> LiveAuth {
        let group = GroupKey::new("g", &GroupSecret::from_bytes([secret; 32])).unwrap();
        LiveAuth::new(Arc::new(Identity::from_seed([seed; 32]).unwrap()), Arc::new(group))
    }

    #[test]
    fn digests_are_bound_to_the_group_and_not_to_the_cut() {
        let (one, other) = (auth(1, 1), auth(1, 2));
        assert_eq!(one.digest(&[b"ab", b"c"]), one.digest(&[b"a", b"bc"]));
        assert_ne!(one.digest(&[b"abc"]), one.digest(&[b"abd"]));
        assert_ne!(one.digest(&[b"abc"]), other.digest(&[b"abc"]));
    }

    #[test]
    fn signatures_name_their_signer() {
        let (one, two) = (auth(1, 1), auth(2, 1));
        let digest = one.digest(&[b"abc"]);
        let signature = one.sign(&digest);
        assert!(two.verify(&one.me(), &digest, &signature));
        assert!(!two.verify(&two.me(), &digest, &signature));
        assert!(!two.verify(&one.me(), &one.digest(&[b"abd"]), &signature));
    }

    #[test]
    fn only_the_recipient_opens_and_only_in_context() {
        let (one, two, three) = (auth(1, 1), auth(2, 1), auth(3, 1));
        for len in [0, 1, 1000, 70_000, 1 << 20] {
            let plain = vec![7; len];
            let sealed = one.seal(&two.seal_key(), b"context", &plain).unwrap();
            assert_eq!(two.open(b"context", &sealed), Some(plain));
            assert_eq!(two.open(b"contexT", &sealed), None);
            assert_eq!(three.open(b"context", &sealed), None);
            assert_eq!(one.open(b"context", &sealed), None);
            assert_eq!(two.open(b"context", &sealed[..sealed.len() - 1]), None);
        }
        assert_eq!(one.seal(&SealKey([0; 32]), b"", b"x"), None);
        assert_eq!(two.open(b"", &[]), None);
        let mut sealed = one.seal(&two.seal_key(), b"", b"text").unwrap();
        for at in 0..sealed.len() {
            sealed[at] ^= 1;
            assert_eq!(two.open(b"", &sealed), None, "byte {at}");
            sealed[at] ^= 1;
        }
    }
}
