//! What members and the key manager say to each other.

use std::fmt;

use tertulia_core::id::{GroupId, PeerId};
use tertulia_core::wire::{Reader, WireError};

use crate::crypto::rsa::{RSA_LEN, RsaKey, RsaPair, RsaSignature};
use crate::crypto::{CryptoError, Voucher};
use crate::discovery::service::wire::{REFUSED, begin, code};

/// Tells questions apart, so that no answer holds for a later one.
pub(super) type Nonce = [u8; 16];

/// What a member asks of the key manager.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and not for long")]
pub(super) enum Request {
    /// This is my key. Said again, it has the key vouched for anew.
    Register(Nonce, RsaKey, RsaSignature),
    /// Which key does this member have?
    LookUp(Nonce, PeerId),
}

/// What the key manager answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and not for long")]
pub(super) enum Answer {
    /// This key.
    Vouched(Voucher),
    /// No, and why; signed.
    No(Problem, RsaSignature),
}

/// Why the key manager does not vouch for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nobody of this id has a key here.
    UnknownPeer,
    /// The proof does not hold.
    BadProof,
    /// The member has another key here.
    OtherKey,
    /// Another member has this key.
    KeyTaken,
    /// There is no room.
    Full,
}

impl Problem {
    const ALL: [(u8, Problem, &'static str, &'static str); 5] = [
        (1, Problem::UnknownPeer, "unknown-peer", "no member of this id has a key here"),
        (2, Problem::BadProof, "bad-proof", "the proof is not of this key, this member and this group"),
        (3, Problem::OtherKey, "other-key", "this member has another key here, which has not expired"),
        (4, Problem::KeyTaken, "key-taken", "another member has this key"),
        (5, Problem::Full, "full", "the key manager knows as many keys as it takes"),
    ];

    fn row(self) -> &'static (u8, Problem, &'static str, &'static str) {
        Self::ALL.iter().find(|row| row.1 == self).unwrap_or(&Self::ALL[0])
    }

    /// The stable text for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().2
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().3)
    }
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w;
        match self {
            Request::Register(nonce, key, proof) => {
                w = begin(1);
                w.raw(nonce).raw(key.modulus()).raw(proof);
            }
            Request::LookUp(nonce, peer) => {
                w = begin(2);
                w.raw(nonce).raw(&peer.0);
            }
        }
        w.finish().to_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let request = match code(&mut r)? {
            1 => {
                let nonce = r.array()?;
                let key = RsaKey::from_modulus(r.array::<RSA_LEN>()?).ok_or(WireError::Range("key"))?;
                Request::Register(nonce, key, r.array()?)
            }
            2 => Request::LookUp(r.array()?, r.peer_id()?),
            _ => return Err(WireError::Range("request")),
        };
        r.end()?;
        Ok(request)
    }
}

impl Answer {
    /// A refusal of `request`.
    pub(super) fn no(
        why: Problem,
        request: &[u8],
        group: &GroupId,
        manager: &RsaPair,
    ) -> Result<Self, CryptoError> {
        Ok(Answer::No(why, manager.sign(&refusal(why, request, group))?))
    }

    /// True when `manager` signed this, as an answer to `request`.
    pub(super) fn is_by(&self, manager: &RsaKey, request: &[u8], group: &GroupId) -> bool {
        match self {
            Answer::Vouched(voucher) => voucher.is_by(manager, group),
            Answer::No(why, signature) => manager.verify(&refusal(*why, request, group), signature),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w;
        match self {
            Answer::Vouched(voucher) => {
                w = begin(1);
                voucher.write(&mut w);
            }
            Answer::No(why, signature) => {
                w = begin(REFUSED);
                w.u8(why.row().0).raw(signature);
            }
        }
        w.finish().to_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let answer = match code(&mut r)? {
            1 => Answer::Vouched(Voucher::read(&mut r)?),
            REFUSED => {
                let byte = r.u8()?;
                let row = Problem::ALL.iter().find(|row| row.0 == byte);
                Answer::No(row.ok_or(WireError::Range("problem"))?.1, r.array()?)
            }
            _ => return Err(WireError::Range("answer")),
        };
        r.end()?;
        Ok(answer)
    }
}

/// What a member signs with its key to prove that it holds it.
pub(super) fn proof(group: &GroupId, peer: &PeerId) -> Vec<u8> {
    [&b"tertulia rsa key 1\0"[..], &group.0, &peer.0].concat()
}

/// What the manager signs to refuse a request.
fn refusal(why: Problem, request: &[u8], group: &GroupId) -> Vec<u8> {
    [&b"tertulia keys no 1\0"[..], &group.0, &[why.row().0], request].concat()
}

#[cfg(test)]
#[cfg(feature = "rsa")]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let (pair, group, peer) = (RsaPair::generate().unwrap(), GroupId([1; 32]), PeerId([7; 32]));
        let register = Request::Register([1; 16], pair.public(), [2; 256]);
        for request in [register.clone(), Request::LookUp([1; 16], peer)] {
            assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
        let voucher = Voucher::sign(&pair, &group, (peer, pair.public()), 5).unwrap();
        let asked = register.encode();
        let mut answers = vec![Answer::Vouched(voucher)];
        for (_, why, ..) in Problem::ALL {
            answers.push(Answer::no(why, &asked, &group, &pair).unwrap());
        }
        for answer in answers {
            let bytes = answer.encode();
            assert_eq!(Answer::decode(&bytes), Ok(answer.clone()));
            for n in 0..bytes.len() {
                assert!(Answer::decode(&bytes[..n]).is_err(), "cut after {n} bytes");
            }
            assert!(Answer::decode(&[bytes.as_slice(), &[0]].concat()).is_err(), "something behind it");
            assert!(answer.is_by(&pair.public(), &asked, &group));
            assert!(!answer.is_by(&pair.public(), &asked, &GroupId([2; 32])));
            let other = Request::Register([3; 16], pair.public(), [2; 256]).encode();
            let holds = answer.is_by(&pair.public(), &other, &group);
            assert_eq!(holds, matches!(answer, Answer::Vouched(_)), "a refusal is of one question");
        }
    }

    #[test]
    fn what_no_member_says_is_refused() {
        for bad in [&[2, 2][..], &[1, 0], &[1, 2, 5], &[], &[1; 600], &[0xff; 9000]] {
            assert!(Request::decode(bad).is_err());
        }
        let mut small = Request::LookUp([1; 16], PeerId([7; 32])).encode();
        small.push(0);
        assert!(Request::decode(&small).is_err());
        // A modulus of fewer bits.
        let weak = [&[1, 1][..], &[0; 16], &[0x7f; 256], &[0; 256]].concat();
        assert!(Request::decode(&weak).is_err());
    }
}
