//! The secret as it stands in a profile: never shown by `Debug`, never written by serde.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::crypto::{GroupSecret, SecretError};

/// What stands in the shipped profiles, and therefore protects nobody.
pub const DEMO_SECRET: &[u8; 32] = b"tertulia demo secret, not secret";

const REDACTED: &str = "(redacted)";
const PREFIX: &str = "base64:";

/// `base64:` and 32 bytes, or a passphrase of at least 12 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Wraps a secret's text.
    #[must_use]
    pub fn new(text: String) -> Self {
        SecretText(Zeroizing::new(text))
    }

    /// Checks the text without the cost of stretching a passphrase.
    ///
    /// # Errors
    /// A reason that never repeats the secret.
    pub fn check(&self) -> Result<(), SecretError> {
        let text = self.text();
        if text.starts_with(PREFIX) {
            return GroupSecret::parse("", text).map(|_| ());
        }
        match text.chars().count() {
            long if long >= GroupSecret::PASSPHRASE_MIN => Ok(()),
            short => Err(SecretError::TooShort(short)),
        }
    }

    /// True for the secret of the shipped profiles.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        let demo = GroupSecret::from_bytes(*DEMO_SECRET);
        self.text().starts_with(PREFIX) && GroupSecret::parse("", self.text()) == Ok(demo)
    }

    /// The secret of the group `name`. Stretching a passphrase takes some tens of milliseconds: do it once.
    ///
    /// # Errors
    /// As [`check`](SecretText::check), and when the machine has too little memory to stretch a passphrase.
    pub fn secret(&self, name: &str) -> Result<GroupSecret, SecretError> {
        GroupSecret::parse(name, self.text())
    }

    fn text(&self) -> &str {
        self.0.trim()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demo_keys_and_passphrases() {
        let demo = SecretText::new(format!(" {}\n", GroupSecret::from_bytes(*DEMO_SECRET).to_text()));
        assert!(demo.is_demo() && demo.check().is_ok());
        let own = SecretText::new(GroupSecret::from_bytes([7; 32]).to_text());
        assert!(!own.is_demo());
        assert_eq!(own.secret("any"), Ok(GroupSecret::from_bytes([7; 32])));
        let phrase = SecretText::new("correct horse battery\n".into());
        assert!(!phrase.is_demo() && phrase.check().is_ok());
        assert_eq!(phrase.secret("g"), GroupSecret::parse("g", "correct horse battery"));
    }

    #[test]
    fn bad_secrets_are_refused_and_never_repeated() {
        for bad in ["hunter2hunt", "base64:!!!!sesame", "base64:c2VzYW1l", ""] {
            let reason = SecretText::new(bad.into()).check().unwrap_err().to_string();
            assert!(
                !reason.contains("hunter") && !reason.contains("sesame") && !reason.contains("c2V"),
                "{reason}"
            );
        }
        assert_eq!(format!("{:?}", SecretText::new("correct horse battery".into())), "(redacted)");
    }
}
