//! Who a member is: one seed, from which all its keys follow.
//!
//! Signatures are the one thing here that does not come from ring: every parcel is signed once and verified by every
//! relay, and ed25519-dalek, on curve arithmetic that the handshake brings along, takes a fifth less time to sign and
//! a quarter less to verify. Its strict verification also refuses keys of small order.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use tertulia_core::auth::Signature;
use tertulia_core::id::{PeerId, SealKey};

use super::dh::DhKey;
use super::{CryptoError, derive, random};

/// A member's keys: Ed25519 (RFC 8032) to sign, whose public half is the peer id, and X25519 (RFC 7748) for
/// handshakes and for direct messages. The X25519 keys are derived from the signing seed, so that 32 bytes are the
/// whole identity, and are bound to the peer id by signatures where they are used.
pub struct Identity {
    seed: [u8; 32],
    sign: SigningKey,
    id: PeerId,
    link: DhKey,
    seal: DhKey,
}

impl Identity {
    /// A new identity from the system's randomness.
    pub fn generate() -> Result<Self, CryptoError> {
        Identity::from_seed(random()?)
    }

    /// The identity of a seed.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, CryptoError> {
        let sign = SigningKey::from_bytes(&seed);
        let id = PeerId(sign.verifying_key().to_bytes());
        let link = DhKey::new(derive(&seed, "link key", &[])?);
        let seal = DhKey::new(derive(&seed, "seal key", &[])?);
        Ok(Identity { seed, sign, id, link, seal })
    }

    /// The seed: the secret to store, with owner-only permissions.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The peer id.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// The key that others seal direct messages to.
    #[must_use]
    pub fn seal_key(&self) -> SealKey {
        SealKey(self.seal.public)
    }

    /// Signs a message. Callers begin it with a text that names its purpose.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.sign.sign(message).to_bytes()
    }

    /// True when `signature` is `who`'s over `message`.
    #[must_use]
    pub fn verify(who: &PeerId, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        VerifyingKey::from_bytes(&who.0).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }

    /// The static key of handshakes.
    pub(super) fn link_key(&self) -> &DhKey {
        &self.link
    }

    /// The key that opens direct messages.
    pub(super) fn seal_pair(&self) -> &DhKey {
        &self.seal
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_the_whole_identity() {
        let one = Identity::generate().unwrap();
        let two = Identity::from_seed(*one.seed()).unwrap();
        assert_eq!(one.id(), two.id());
        assert_eq!(one.seal_key(), two.seal_key());
        assert_ne!(one.link_key().public, one.seal_key().0);
        assert_ne!(one.id(), Identity::generate().unwrap().id());
    }

    #[test]
    fn signatures_hold_for_one_message_and_one_signer() {
        let one = Identity::from_seed([1; 32]).unwrap();
        let two = Identity::from_seed([2; 32]).unwrap();
        let signature = one.sign(b"text");
        assert!(Identity::verify(&one.id(), b"text", &signature));
        assert!(!Identity::verify(&one.id(), b"tex", &signature));
        assert!(!Identity::verify(&two.id(), b"text", &signature));
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // The neutral element: with it as key, R = S * B holds for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!Identity::verify(&PeerId(neutral), b"anything", &signature));
    }

    #[test]
    fn secrets_are_not_printed() {
        let one = Identity::from_seed([0xab; 32]).unwrap();
        assert!(!format!("{one:?}").contains("171"));
        assert!(format!("{one:?}").len() < 30);
    }
}
