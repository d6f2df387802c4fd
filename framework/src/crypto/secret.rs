//! A group's secret as people write it.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{CryptoError, random};

/// What every member of a group knows and nobody else: 32 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupSecret([u8; 32]);

/// A text that is no group secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// `base64:` and then something else than 32 bytes.
    #[error("behind `base64:` there must be 32 bytes (44 characters); `tertulia new` makes such a secret")]
    Base64,
    /// A passphrase that is too short.
    #[error("a passphrase needs at least {min} characters, this one has {0}", min = GroupSecret::PASSPHRASE_MIN)]
    TooShort(usize),
    /// The stretching failed.
    #[error("the passphrase could not be stretched: {mib} MiB of memory are needed", mib = GroupSecret::STRETCH_KIB / 1024)]
    Stretch,
}

impl GroupSecret {
    /// The fewest characters of a passphrase.
    pub const PASSPHRASE_MIN: usize = 12;
    const PREFIX: &str = "base64:";
    /// Memory and passes of Argon2id, as OWASP recommends.
    const STRETCH_KIB: u32 = 19 * 1024;
    const STRETCH_PASSES: u32 = 2;

    /// These bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        GroupSecret(bytes)
    }

    /// A new secret from the system's randomness.
    pub fn generate() -> Result<Self, CryptoError> {
        random().map(GroupSecret)
    }

    /// Reads `base64:` and 32 bytes, or stretches a passphrase for the group `name` (some tens of milliseconds).
    pub fn parse(name: &str, text: &str) -> Result<Self, SecretError> {
        if let Some(digits) = text.strip_prefix(Self::PREFIX) {
            let bytes = STANDARD.decode(digits.trim()).map_err(|_| SecretError::Base64)?;
            return bytes.try_into().map(GroupSecret).map_err(|_| SecretError::Base64);
        }
        let characters = text.chars().count();
        if characters < Self::PASSPHRASE_MIN {
            return Err(SecretError::TooShort(characters));
        }
        let salt = blake3::derive_key("tertulia 2026 passphrase salt", name.as_bytes());
        let params = Params::new(Self::STRETCH_KIB, Self::STRETCH_PASSES, 1, Some(32))
            .map_err(|_| SecretError::Stretch)?;
        let mut bytes = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(text.as_bytes(), &salt, &mut bytes)
            .map_err(|_| SecretError::Stretch)?;
        Ok(GroupSecret(bytes))
    }

    /// The text that [`parse`](GroupSecret::parse) reads back. It is the secret: print it only where it belongs.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}{}", Self::PREFIX, STANDARD.encode(self.0))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for GroupSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_round_trips() {
        let secret = GroupSecret::generate().unwrap();
        assert_eq!(GroupSecret::parse("any", &secret.to_text()), Ok(secret));
        assert_eq!(GroupSecret::parse("any", "base64:AAAA"), Err(SecretError::Base64));
        assert_eq!(GroupSecret::parse("any", "base64:?"), Err(SecretError::Base64));
    }

    #[test]
    fn passphrases_are_stretched_for_one_group() {
        let parse = |name, text| GroupSecret::parse(name, text);
        assert_eq!(parse("a", "too short"), Err(SecretError::TooShort(9)));
        let one = parse("a", "correct horse battery").unwrap();
        assert_eq!(parse("a", "correct horse battery"), Ok(one.clone()));
        assert_ne!(parse("b", "correct horse battery"), Ok(one.clone()));
        assert_ne!(parse("a", "correct horse batterz"), Ok(one));
    }
}
