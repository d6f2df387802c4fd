//! Authentication as the engine sees it.

use crate::id::{Digest, PeerId, SealKey};

/// An Ed25519 signature (RFC 8032), or 64 bytes of a keyed hash in the simulator.
pub type Signature = [u8; 64];

/// Digests, signatures and sealing of one identity in one group.
///
/// Live programs use Ed25519, BLAKE3 and X25519; the simulator a keyed hash with equal sizes. Nothing here may
/// block or look at a clock.
pub trait Auth: Send + Sync {
    /// Whose signatures [`sign`](Auth::sign) makes.
    fn me(&self) -> PeerId;

    /// The key that others seal direct messages to.
    fn seal_key(&self) -> SealKey;

    /// A collision-resistant digest of the concatenated parts, bound to the group.
    fn digest(&self, parts: &[&[u8]]) -> Digest;

    /// Signs a digest.
    fn sign(&self, digest: &Digest) -> Signature;

    /// True when `signature` is `who`'s over `digest`.
    fn verify(&self, who: &PeerId, digest: &Digest, signature: &Signature) -> bool;

    /// Seals `plain` so that only the holder of `to` can open it under the same `context`.
    ///
    /// `None` when the key is unusable or sealing failed.
    fn seal(&self, to: &SealKey, context: &[u8], plain: &[u8]) -> Option<Vec<u8>>;

    /// Opens what was sealed to [`seal_key`](Auth::seal_key) under `context`; `None` when it was not.
    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;
}
