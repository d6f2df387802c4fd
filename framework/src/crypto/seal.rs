//! Record protection with AES-256-GCM and with a keyed hash.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

use crate::link::{Opener, SealError, Sealer};

/// Bytes of a seal of either kind.
pub(super) const TAG: usize = 16;

/// AES-256-GCM with the nonce that Noise prescribes: four zero bytes and the number, big-endian.
pub(super) struct Aes(LessSafeKey);

impl Aes {
    pub(super) fn new(key: &[u8; 32]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, key).ok().map(|key| Aes(LessSafeKey::new(key)))
    }

    fn nonce(seq: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&seq.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Sealer for Aes {
    fn overhead(&self) -> usize {
        TAG
    }

    fn seal(&mut self, seq: u64, aad: &[u8], record: &mut [u8]) -> Result<(), SealError> {
        let (plain, tag) = record.split_last_chunk_mut::<TAG>().ok_or(SealError)?;
        let made = self.0.seal_in_place_separate_tag(Self::nonce(seq), Aad::from(aad), plain);
        tag.copy_from_slice(made.map_err(|_| SealError)?.as_ref());
        Ok(())
    }
}

impl Opener for Aes {
    fn open(&mut self, seq: u64, aad: &[u8], record: &mut [u8]) -> Result<usize, SealError> {
        let (sealed, tag) = record.split_last_chunk_mut::<TAG>().ok_or(SealError)?;
        let tag = Tag::from(*tag);
        self.0
            .open_in_place_separate_tag(Self::nonce(seq), Aad::from(aad), tag, sealed, 0..)
            .map(|plain| plain.len())
            .map_err(|_| SealError)
    }
}

/// BLAKE3 keyed with a session key, over number, `aad` and record: integrity without secrecy.
pub(super) struct Mac(pub(super) [u8; 32]);

impl Mac {
    fn tag(&self, seq: u64, aad: &[u8], plain: &[u8]) -> [u8; TAG] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&seq.to_le_bytes()).update(&(aad.len() as u64).to_le_bytes()).update(aad).update(plain);
        let mut tag = [0; TAG];
        hasher.finalize_xof().fill(&mut tag);
        tag
    }
}

impl Sealer for Mac {
    fn overhead(&self) -> usize {
        TAG
    }

    fn seal(&mut self, seq: u64, aad: &[u8], record: &mut [u8]) -> Result<(), SealError> {
        let (plain, tag) = record.split_last_chunk_mut::<TAG>().ok_or(SealError)?;
        *tag = self.tag(seq, aad, plain);
        Ok(())
    }
}

impl Opener for Mac {
    fn open(&mut self, seq: u64, aad: &[u8], record: &mut [u8]) -> Result<usize, SealError> {
        let (plain, tag) = record.split_last_chunk::<TAG>().ok_or(SealError)?;
        // Compared without a time that depends on the bytes.
        let differ = self.tag(seq, aad, plain).iter().zip(tag).fold(0, |acc, (a, b)| acc | (a ^ b));
        if differ == 0 { Ok(plain.len()) } else { Err(SealError) }
    }
}
