//! Keys of a member and of a group, and the crypto suites.

mod auth;
mod claim;
mod dh;
mod group;
mod identity;
pub mod noise;
pub mod plain;
pub mod rsa;
mod seal;
mod secret;
mod vouched;
mod voucher;
mod wire;

pub use auth::LiveAuth;
pub use group::GroupKey;
pub use identity::Identity;
pub use secret::{GroupSecret, SecretError};
pub use vouched::{Keyring, Vouched};
pub use voucher::Voucher;
pub(crate) use voucher::unix_ms;
pub use wire::REFUSE;

/// A failure below the protocols: the system gives no randomness, or a library refuses a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// No randomness.
    #[error("the system gives no randomness: check that the random device is readable")]
    Random,
    /// A key of the wrong form.
    #[error("the key is not usable: restore the identity file, or remove it for a new identity")]
    Key,
    /// No way to make an RSA key.
    #[error("this program makes no RSA keys: build it with the feature `rsa` of `tertulia`")]
    NoRsa,
}

/// Fills `N` bytes with the system's randomness.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    use ring::rand::SecureRandom;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| CryptoError::Random)?;
    Ok(bytes)
}

/// HKDF-SHA256 (RFC 5869): a key for one purpose, named by `label`, and one subject.
pub(crate) fn derive(secret: &[u8], label: &str, subject: &[u8]) -> Result<[u8; 32], CryptoError> {
    use ring::hkdf::{HKDF_SHA256, Salt};
    let mut key = [0; 32];
    Salt::new(HKDF_SHA256, b"tertulia")
        .extract(secret)
        .expand(&[label.as_bytes(), &[0], subject], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .map_err(|_| CryptoError::Key)?;
    Ok(key)
}
