//! What a key manager says of a member, signed: this is its RSA key, until then.

use tertulia_core::id::{GroupId, PeerId};
use tertulia_core::wire::{Reader, WireError, Writer};

use super::CryptoError;
use super::rsa::{RSA_LEN, RsaKey, RsaPair, RsaSignature};

/// A key manager's word for a member's RSA key. Whoever holds the manager's public key can check it without asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// Whose key.
    pub peer: PeerId,
    /// The key.
    pub key: RsaKey,
    /// Until when, in milliseconds since 1970.
    pub until_ms: u64,
    signature: RsaSignature,
}

impl Voucher {
    /// Bytes of a voucher.
    pub const LEN: usize = 32 + RSA_LEN + 8 + RSA_LEN;

    /// `manager` vouches for a member of `group`.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn sign(
        manager: &RsaPair,
        group: &GroupId,
        (peer, key): (PeerId, RsaKey),
        until_ms: u64,
    ) -> Result<Self, CryptoError> {
        let signature = manager.sign(&signed(group, &peer, &key, until_ms))?;
        Ok(Voucher { peer, key, until_ms, signature })
    }

    /// True when it is `manager`'s word in `group`, whether or not its time is over.
    #[must_use]
    pub fn is_by(&self, manager: &RsaKey, group: &GroupId) -> bool {
        manager.verify(&signed(group, &self.peer, &self.key, self.until_ms), &self.signature)
    }

    /// Appends it to a message.
    pub fn write(&self, w: &mut Writer) {
        w.raw(&self.peer.0).raw(self.key.modulus()).u64(self.until_ms).raw(&self.signature);
    }

    /// Reads what [`write`](Voucher::write) wrote; nothing is verified.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let peer = r.peer_id()?;
        let key = RsaKey::from_modulus(r.array()?).ok_or(WireError::Range("key"))?;
        Ok(Voucher { peer, key, until_ms: r.u64()?, signature: r.array()? })
    }

    /// It alone, as it is kept.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.finish().to_vec()
    }

    /// Reads what [`encode`](Voucher::encode) wrote.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let voucher = Voucher::read(&mut r)?;
        r.end()?;
        Ok(voucher)
    }
}

/// The time by the system's clock, in milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    let passed = std::time::UNIX_EPOCH.elapsed().map_or(0, |passed| passed.as_millis());
    u64::try_from(passed).unwrap_or(u64::MAX)
}

/// What the manager signs.
fn signed(group: &GroupId, peer: &PeerId, key: &RsaKey, until_ms: u64) -> Vec<u8> {
    [&b"tertulia voucher 1\0"[..], &group.0, &peer.0, &until_ms.to_le_bytes(), key.modulus()].concat()
}

#[cfg(test)]
#[cfg(feature = "rsa")]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_one_member_of_one_group() {
        let (manager, member) = (RsaPair::generate().unwrap(), RsaPair::generate().unwrap());
        let (group, peer) = (GroupId([1; 32]), PeerId([2; 32]));
        let voucher = Voucher::sign(&manager, &group, (peer, member.public()), 9).unwrap();
        assert!(voucher.is_by(&manager.public(), &group));
        assert!(!voucher.is_by(&member.public(), &group), "signed by itself");
        assert!(!voucher.is_by(&manager.public(), &GroupId([3; 32])));
        for altered in [
            Voucher { peer: PeerId([3; 32]), ..voucher.clone() },
            Voucher { key: manager.public(), ..voucher.clone() },
            Voucher { until_ms: 10, ..voucher.clone() },
        ] {
            assert!(!altered.is_by(&manager.public(), &group));
        }
        let bytes = voucher.encode();
        assert_eq!((bytes.len(), Voucher::decode(&bytes)), (Voucher::LEN, Ok(voucher)));
        for n in 0..bytes.len() {
            assert!(Voucher::decode(&bytes[..n]).is_err());
        }
    }
}
