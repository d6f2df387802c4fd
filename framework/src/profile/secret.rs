//! The group's secret: 32 random bytes, or a passphrase that is stretched to as many.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// What stands in the shipped profiles, and therefore protects nobody.
pub const DEMO_SECRET: &[u8; 32] = b"tertulia demo secret, not secret";

/// The shortest passphrase, in characters.
pub const PASSPHRASE_MIN: usize = 12;

const REDACTED: &str = "(redacted)";

/// The text of a secret as it stands in a profile. Never shown by `Debug` or written by serde.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Wraps a secret's text.
    #[must_use]
    pub fn new(text: String) -> Self {
        SecretText(Zeroizing::new(text))
    }

    /// Checks the text: `base64:` and 32 bytes, or a passphrase of at least 12 characters.
    ///
    /// # Errors
    /// A reason that never repeats the secret.
    pub fn parse(&self) -> Result<Secret, String> {
        let text = self.0.trim();
        if let Some(encoded) = text.strip_prefix("base64:") {
            let bytes =
                BASE64.decode(encoded.as_bytes()).map_err(|_| "what follows `base64:` is no base64")?;
            let bytes = Zeroizing::new(bytes);
            let key: [u8; 32] = bytes
                .as_slice()
                .try_into()
                .map_err(|_| format!("`base64:` holds {} bytes, a secret has 32", bytes.len()))?;
            return Ok(Secret { form: Form::Key(Zeroizing::new(key)) });
        }
        let length = text.chars().count();
        if length < PASSPHRASE_MIN {
            let least =
                format!("a passphrase of {length} characters; a secret has at least {PASSPHRASE_MIN}");
            return Err(least);
        }
        Ok(Secret { form: Form::Passphrase(Zeroizing::new(text.to_owned())) })
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(SecretText::new)
    }
}

/// A checked secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    form: Form,
}

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Key(Zeroizing<[u8; 32]>),
    Passphrase(Zeroizing<String>),
}

impl Secret {
    /// A secret of 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Secret { form: Form::Key(Zeroizing::new(bytes)) }
    }

    /// True for the secret of the shipped profiles.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        matches!(&self.form, Form::Key(key) if **key == *DEMO_SECRET)
    }

    /// The 32 bytes that links and the group id are derived from.
    ///
    /// A passphrase is stretched by Argon2id (RFC 9106, 19 MiB, two passes) with the group's name as salt, which
    /// takes a noticeable fraction of a second: call it once, off the event loop.
    ///
    /// # Errors
    /// When the machine has too little memory to stretch a passphrase.
    pub fn stretch(&self, group: &str) -> Result<Zeroizing<[u8; 32]>, String> {
        let passphrase = match &self.form {
            Form::Key(key) => return Ok(key.clone()),
            Form::Passphrase(text) => text,
        };
        let salt =
            ring::digest::digest(&ring::digest::SHA256, format!("tertulia group v1:{group}").as_bytes());
        let mut key = Zeroizing::new([0u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
            .hash_password_into(passphrase.as_bytes(), salt.as_ref(), key.as_mut_slice())
            .map_err(|e| format!("the passphrase could not be stretched: {e}"))?;
        Ok(key)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// The text of a secret of 32 bytes, as it is written into a private profile.
#[must_use]
pub fn secret_text(bytes: &[u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(format!("base64:{}", BASE64.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_passphrases() {
        let demo = SecretText::new(secret_text(DEMO_SECRET).to_string()).parse().unwrap();
        assert!(demo.is_demo());
        assert_eq!(*demo.stretch("any").unwrap(), *DEMO_SECRET);
        let phrase = SecretText::new("correct horse battery".into()).parse().unwrap();
        let (a, b) = (phrase.stretch("one").unwrap(), phrase.stretch("two").unwrap());
        assert_ne!(a, b, "the group's name is the salt");
        assert_eq!(a, phrase.stretch("one").unwrap());
    }

    #[test]
    fn bad_secrets_are_refused_and_never_repeated() {
        for bad in ["hunter2hunt", "base64:!!!!sesame", "base64:c2VzYW1l", ""] {
            let reason = SecretText::new(bad.into()).parse().unwrap_err();
            assert!(
                !reason.contains("hunter") && !reason.contains("sesame") && !reason.contains("c2V"),
                "{reason}"
            );
        }
        let text = SecretText::new("correct horse battery".into());
        assert_eq!(format!("{text:?} {:?}", text.parse().unwrap()), "(redacted) (redacted)");
    }
}
