//! Names of things: peers, groups, incarnations, messages.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! id32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0[..4].iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(s: &str) -> Result<Self, BadId> {
                let digits = s.as_bytes();
                if digits.len() != 64 {
                    return Err(BadId);
                }
                let mut out = [0u8; 32];
                for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
                    *byte = hex_digit(pair[0]).ok_or(BadId)? << 4 | hex_digit(pair[1]).ok_or(BadId)?;
                }
                Ok($name(out))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id32! {
    /// A peer: its Ed25519 public key (RFC 8032). Written as 64 hex digits.
    PeerId
}
id32! {
    /// A group: derived from its name and secret, so that only holders of both can name it.
    GroupId
}
id32! {
    /// The X25519 public key (RFC 7748) that direct messages to a member are sealed to.
    SealKey
}
id32! {
    /// A collision-resistant digest of a parcel, bound to its group.
    Digest
}

/// A text that is not 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 64 hex digits")]
pub struct BadId;

fn hex_digit(c: u8) -> Option<u8> {
    (c as char).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// One run of a peer: max(stored + 1, wall-clock milliseconds at start). A higher one supersedes lower ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

/// A message: its origin, the origin's run, the stream it was numbered in and its number there (from 1).
///
/// Group messages share one stream per incarnation; direct messages have one per recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Who published it.
    pub origin: PeerId,
    /// The origin's run.
    pub incarnation: Incarnation,
    /// The recipient of a direct message.
    pub to: Option<PeerId>,
    /// Number within the stream, from 1.
    pub seq: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}-{}-{}", self.origin, self.incarnation.0, self.seq)?;
        self.to.map_or(Ok(()), |to| write!(f, "-{to:?}"))
    }
}

/// A peer as one engine knows it: a dense index into its [`PeerTable`](crate::peers::PeerTable). Never on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u32);

impl Peer {
    /// The engine's own peer.
    pub const ME: Peer = Peer(0);

    /// The index into per-peer tables.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
