//! RSA keys of members and of key managers: 2048 bits, exponent 65537, signatures by RSASSA-PSS with SHA-256 (RFC 8017).
//!
//! ring signs and verifies. It makes no RSA keys, which is what aws-lc-rs does, behind the feature `rsa`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256};
use zeroize::Zeroizing;

use super::CryptoError;

/// Bytes of a modulus, and of a signature.
pub const RSA_LEN: usize = 256;

/// A signature.
pub type RsaSignature = [u8; RSA_LEN];

const EXPONENT: [u8; 3] = [1, 0, 1];
/// What stands around the modulus in a `SubjectPublicKeyInfo` (RFC 5280) of such a key.
const HEAD: [u8; 33] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
    0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00,
];
const TAIL: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// Letters in a line of such a file.
const LINE: usize = 64;

/// A public key: its modulus.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RsaKey([u8; RSA_LEN]);

impl RsaKey {
    /// The key of this modulus, if that has 2048 bits.
    #[must_use]
    pub fn from_modulus(modulus: [u8; RSA_LEN]) -> Option<Self> {
        (modulus[0] >= 0x80).then_some(RsaKey(modulus))
    }

    /// The modulus.
    #[must_use]
    pub fn modulus(&self) -> &[u8; RSA_LEN] {
        &self.0
    }

    /// True when `signature` is this key's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &RsaSignature) -> bool {
        let key = PublicKeyComponents { n: &self.0[..], e: &EXPONENT[..] };
        key.verify(&RSA_PSS_2048_8192_SHA256, message, signature).is_ok()
    }

    /// The text of a public key file, as other programs read and write it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let text = STANDARD.encode([&HEAD[..], &self.0, &TAIL].concat());
        let mut pem = format!("{BEGIN}\n");
        for line in text.as_bytes().chunks(LINE) {
            pem.extend(line.iter().copied().map(char::from));
            pem.push('\n');
        }
        pem + END + "\n"
    }

    /// Reads what [`to_pem`](RsaKey::to_pem) wrote; `None` for anything else than such a key.
    #[must_use]
    pub fn from_pem(text: &str) -> Option<Self> {
        let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
        let letters: String = body.split_whitespace().collect();
        let der = STANDARD.decode(letters).ok()?;
        let modulus = der.strip_prefix(&HEAD)?.strip_suffix(&TAIL)?;
        RsaKey::from_modulus(modulus.try_into().ok()?)
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaKey({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// A key and its secret.
pub struct RsaPair {
    pair: KeyPair,
    public: RsaKey,
    der: Zeroizing<Vec<u8>>,
}

impl RsaPair {
    /// A new key; takes some tenths of a second.
    ///
    /// # Errors
    /// When the program was built without the feature `rsa`, or the library fails.
    pub fn generate() -> Result<Self, CryptoError> {
        RsaPair::from_pkcs8(generate()?)
    }

    /// The pair that [`pkcs8`](RsaPair::pkcs8) wrote.
    ///
    /// # Errors
    /// When this is no such pair.
    pub fn from_pkcs8(der: Vec<u8>) -> Result<Self, CryptoError> {
        let der = Zeroizing::new(der);
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| CryptoError::Key)?;
        let PublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
        let modulus = n.try_into().ok().filter(|_| e == EXPONENT);
        let public = modulus.and_then(RsaKey::from_modulus).ok_or(CryptoError::Key)?;
        Ok(RsaPair { pair, public, der })
    }

    /// The pair as PKCS #8 (RFC 5208): the secret to store, with owner-only permissions.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.der
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> RsaKey {
        self.public
    }

    /// Signs a message. Callers begin it with a text that names its purpose.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<RsaSignature, CryptoError> {
        let mut signature = [0; RSA_LEN];
        let random = ring::rand::SystemRandom::new();
        let signed = self.pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature);
        signed.map(|()| signature).map_err(|_| CryptoError::Random)
    }
}

impl fmt::Debug for RsaPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPair({:?})", self.public)
    }
}

#[cfg(feature = "rsa")]
fn generate() -> Result<Vec<u8>, CryptoError> {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa;
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| CryptoError::Random)?;
    pair.as_der().map(|der| der.as_ref().to_vec()).map_err(|_| CryptoError::Key)
}

#[cfg(not(feature = "rsa"))]
fn generate() -> Result<Vec<u8>, CryptoError> {
    Err(CryptoError::NoRsa)
}

#[cfg(test)]
#[cfg(feature = "rsa")]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_kept_and_its_signatures_hold() {
        let one = RsaPair::generate().unwrap();
        let same = RsaPair::from_pkcs8(one.pkcs8().to_vec()).unwrap();
        let other = RsaPair::generate().unwrap();
        assert_eq!(one.public(), same.public());
        let mut signature = same.sign(b"text").unwrap();
        assert!(one.public().verify(b"text", &signature));
        assert!(!one.public().verify(b"tex", &signature));
        assert!(!other.public().verify(b"text", &signature));
        signature[9] ^= 1;
        assert!(!one.public().verify(b"text", &signature));
        assert!(RsaPair::from_pkcs8(one.pkcs8()[1..].to_vec()).is_err());
        assert!(format!("{one:?}").len() < 30);
    }

    #[test]
    fn public_keys_are_files_that_others_read() {
        use aws_lc_rs::encoding::AsDer;
        use aws_lc_rs::{rsa, signature::KeyPair as _};
        let theirs = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let der = theirs.public_key().as_der().unwrap();
        let pem = format!("{BEGIN}\n{}\n{END}", STANDARD.encode(der.as_ref()));
        let key = RsaKey::from_pem(&pem).unwrap();
        assert_eq!(RsaKey::from_pem(&key.to_pem()), Some(key));
        assert_eq!(key.to_pem().lines().count(), 9);
        for bad in ["", BEGIN, &pem[1..], &pem.replacen("MIIB", "MIIC", 1), &key.to_pem()[..200]] {
            assert_eq!(RsaKey::from_pem(bad), None, "{bad}");
        }
        // Not 2048 bits, and nonsense that has as many: neither panics.
        assert_eq!(RsaKey::from_modulus([0x7f; RSA_LEN]), None);
        assert!(!RsaKey::from_modulus([0xff; RSA_LEN]).unwrap().verify(b"x", &[0xff; RSA_LEN]));
    }
}
