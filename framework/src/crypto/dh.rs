//! X25519 for Noise.
//!
//! ring supplies everything that the Noise patterns need but X25519 with a key that is kept, so this one
//! primitive comes from curve25519-dalek. Results that do not depend on the secret are refused.

use curve25519_dalek::montgomery::MontgomeryPoint;
use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::{CryptoResolver, RingResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, Error};

/// An X25519 key pair.
#[derive(Default)]
pub(super) struct DhKey {
    pub(super) secret: [u8; 32],
    pub(super) public: [u8; 32],
}

impl DhKey {
    /// The pair of a secret.
    pub(super) fn new(secret: [u8; 32]) -> Self {
        DhKey { secret, public: MontgomeryPoint::mul_base_clamped(secret).to_bytes() }
    }
}

/// A Noise handshake on ring's primitives and this X25519.
pub(super) fn builder<'a>(pattern: NoiseParams) -> Builder<'a> {
    Builder::with_resolver(pattern, Box::new(Resolver(RingResolver)))
}

struct Resolver(RingResolver);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        self.0.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::<DhKey>::default() as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        self.0.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        self.0.resolve_cipher(choice)
    }
}

impl Dh for DhKey {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(secret) {
            *to = *from;
        }
        *self = DhKey::new(key);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut key = [0; 32];
        rng.try_fill_bytes(&mut key)?;
        *self = DhKey::new(key);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &self.secret
    }

    fn dh(&self, theirs: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let theirs = *theirs.first_chunk::<32>().ok_or(Error::Dh)?;
        let shared = MontgomeryPoint(theirs).mul_clamped(self.secret).to_bytes();
        // RFC 7748, section 6.1: zero comes of a point of low order, whatever the secret.
        if shared == [0; 32] {
            return Err(Error::Dh);
        }
        out.first_chunk_mut::<32>().map(|out| *out = shared).ok_or(Error::Dh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> [u8; 32] {
        hex.parse::<tertulia_core::id::Digest>().unwrap().0
    }

    /// The vectors of RFC 7748, section 6.1.
    #[test]
    fn known_keys_agree() {
        let bob = DhKey::new(bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        assert_eq!(bob.public, bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
        let alice = bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let mut shared = [0; 32];
        bob.dh(&alice, &mut shared).unwrap();
        assert_eq!(shared, bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
    }

    #[test]
    fn points_of_low_order_are_refused() {
        let key = DhKey::new([1; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one] {
            assert!(key.dh(&point, &mut [0; 32]).is_err());
        }
    }
}
