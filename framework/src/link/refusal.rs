//! Why a member does not link with another: one byte on the wire.

use std::fmt;

/// Why a handshake was refused. One byte on the wire, which both sides report.
///
/// A refusal travels in the clear, since the two sides may share no secret: whoever can cut the connection can
/// also forge it. It explains; nothing may be decided by a refusal of the other side except to try later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The two sides speak different versions of the protocol.
    Version,
    /// The two sides use different crypto suites.
    Suite,
    /// The two sides do not hold the same group name and secret.
    WrongSecret,
    /// The two sides are in different epochs of the group.
    Epoch,
    /// The group does not admit this member.
    NotAdmitted,
    /// A member dialled itself.
    Own,
    /// Another program runs with the same identity.
    IdentityInUse,
    /// The peer id does not belong to the key of the handshake.
    BadIdentity,
    /// A message that is none, or was altered on its way.
    Malformed,
    /// No link is free.
    Busy,
    /// The member is leaving.
    Leaving,
    /// The handshake took too long.
    Slow,
    /// The other side could not go on for a reason of its own.
    Internal,
    /// One of the two is a service of discovery, and no member.
    Service,
    /// One of the two is authenticated by a key manager, and the other is not.
    Keys,
    /// The key manager has not vouched for the member's key yet, or no more.
    NoVoucher,
    /// What should prove the member's key is not the key manager's word, or not about this member.
    BadVoucher,
    /// The key manager's word for the member's key is of the past.
    VoucherExpired,
    /// A code that this version does not know.
    Other(u8),
}

impl Refusal {
    const KNOWN: [(u8, Refusal, &'static str); 18] = [
        (1, Refusal::Version, "version"),
        (2, Refusal::Suite, "crypto-suite"),
        (3, Refusal::WrongSecret, "wrong-secret"),
        (4, Refusal::Epoch, "epoch"),
        (5, Refusal::NotAdmitted, "not-admitted"),
        (6, Refusal::Own, "self"),
        (7, Refusal::IdentityInUse, "identity-in-use"),
        (8, Refusal::BadIdentity, "bad-identity"),
        (9, Refusal::Malformed, "malformed"),
        (10, Refusal::Busy, "busy"),
        (11, Refusal::Leaving, "leaving"),
        (12, Refusal::Slow, "slow"),
        (13, Refusal::Internal, "internal"),
        (14, Refusal::Service, "service"),
        (15, Refusal::Keys, "keys"),
        (16, Refusal::NoVoucher, "no-voucher"),
        (17, Refusal::BadVoucher, "bad-voucher"),
        (18, Refusal::VoucherExpired, "voucher-expired"),
    ];

    /// The byte on the wire.
    #[must_use]
    pub fn to_byte(self) -> u8 {
        if let Refusal::Other(byte) = self {
            return byte;
        }
        Self::KNOWN.iter().find(|(_, r, _)| *r == self).map_or(0, |(byte, ..)| *byte)
    }

    /// The refusal of a byte.
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        Self::KNOWN.iter().find(|(b, ..)| *b == byte).map_or(Refusal::Other(byte), |(_, r, _)| *r)
    }

    /// The stable text for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        Self::KNOWN.iter().find(|(_, r, _)| *r == self).map_or("unknown", |(.., code)| code)
    }

    /// True when it tells that a member of the group is there, though it does not link as things are. Otherwise whoever
    /// is there is on its way out, is in another group, or is no member at all.
    #[must_use]
    pub fn tells_of_member(self) -> bool {
        match self {
            Refusal::Version
            | Refusal::Suite
            | Refusal::Epoch
            | Refusal::NotAdmitted
            | Refusal::IdentityInUse
            | Refusal::Busy
            | Refusal::Keys
            | Refusal::NoVoucher
            | Refusal::BadVoucher
            | Refusal::VoucherExpired
            | Refusal::Other(_) => true,
            Refusal::WrongSecret
            | Refusal::Own
            | Refusal::BadIdentity
            | Refusal::Malformed
            | Refusal::Leaving
            | Refusal::Slow
            | Refusal::Internal
            | Refusal::Service => false,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Refusal::Version => "run the same version on both sides",
            Refusal::Suite => "give both profiles the same crypto.kind",
            Refusal::WrongSecret => "check that group.name and group.secret are the same on both sides",
            Refusal::Epoch => "update both sides to the group's present epoch",
            Refusal::NotAdmitted => "ask a member of the group to be admitted",
            Refusal::Own => "join through the address of another member",
            Refusal::IdentityInUse => "give each running member a data directory of its own",
            Refusal::BadIdentity => "do not trust this address: it claims to be someone else",
            Refusal::Malformed => "check that a member listens at this address, and the network between",
            Refusal::Busy => "try again later, or join through another member",
            Refusal::Leaving => "join through another member",
            Refusal::Slow => "try again, or raise the deadline of handshakes",
            Refusal::Internal => "see the log of the other side",
            Refusal::Service => "join through a member; services stand in the profile's table `discovery`",
            Refusal::Keys => "set crypto.keys.public_key on both sides, or on neither",
            Refusal::NoVoucher | Refusal::VoucherExpired => "start the key manager (`leader-chat keys`)",
            Refusal::BadVoucher => "give both sides the public key of the group's one key manager",
            Refusal::Other(_) => "run the same version on both sides",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Version => "the versions of the protocol differ",
            Refusal::Suite => "the crypto suites differ",
            Refusal::WrongSecret => "the group secrets differ",
            Refusal::Epoch => "the epochs of the group differ",
            Refusal::NotAdmitted => "the group does not admit this member",
            Refusal::Own => "this is the member's own address",
            Refusal::IdentityInUse => "another program runs with the same identity",
            Refusal::BadIdentity => "the peer id does not belong to the key",
            Refusal::Malformed => "a message of the handshake is malformed or was altered",
            Refusal::Busy => "no link is free",
            Refusal::Leaving => "the member is leaving",
            Refusal::Slow => "the handshake took too long",
            Refusal::Internal => "an internal error",
            Refusal::Service => "one of the two is a service, and the other a member",
            Refusal::Keys => "one of the two is authenticated by a key manager, and the other is not",
            Refusal::NoVoucher => "the key manager does not vouch for the member's key so far",
            Refusal::BadVoucher => "the key manager does not vouch for the member's key",
            Refusal::VoucherExpired => "the key manager vouches no longer for the member's key",
            Refusal::Other(byte) => return write!(f, "for an unknown reason ({byte})"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_round_trips() {
        for byte in 0..=u8::MAX {
            assert_eq!(Refusal::from_byte(byte).to_byte(), byte);
        }
    }

    #[test]
    fn codes_are_distinct() {
        let codes: std::collections::BTreeSet<_> = Refusal::KNOWN.iter().map(|(.., code)| code).collect();
        assert_eq!(codes.len(), Refusal::KNOWN.len());
    }
}
