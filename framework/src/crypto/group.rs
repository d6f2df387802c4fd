//! What the members of a group share.

use std::fmt;

use tertulia_core::id::GroupId;

use super::{CryptoError, GroupSecret, derive};

/// A group's name and what follows from name and secret: its id, the pre-shared key of handshakes and the key that
/// binds digests to the group.
#[derive(Clone)]
pub struct GroupKey {
    name: String,
    id: GroupId,
    psk: [u8; 32],
    digest: [u8; 32],
    plain: [u8; 32],
}

impl GroupKey {
    /// The key of the group with this name and secret.
    pub fn new(name: &str, secret: &GroupSecret) -> Result<Self, CryptoError> {
        let key = |label| derive(secret.bytes(), label, name.as_bytes());
        Ok(GroupKey {
            name: name.to_owned(),
            id: GroupId(key("group id")?),
            psk: key("link psk")?,
            digest: key("digest")?,
            plain: key("plain link")?,
        })
    }

    /// The group's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group's id.
    #[must_use]
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// The key that both sides of a handshake must hold.
    #[must_use]
    pub fn psk(&self) -> &[u8; 32] {
        &self.psk
    }

    pub(super) fn digest_key(&self) -> &[u8; 32] {
        &self.digest
    }

    pub(super) fn plain_key(&self) -> &[u8; 32] {
        &self.plain
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupKey").field("name", &self.name).field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_secret_both_count() {
        let key = |name, byte| GroupKey::new(name, &GroupSecret::from_bytes([byte; 32])).unwrap();
        let one = key("a", 1);
        assert_eq!((one.id(), one.psk()), (key("a", 1).id(), key("a", 1).psk()));
        assert_ne!(one.id(), key("b", 1).id());
        assert_ne!(one.psk(), key("b", 1).psk());
        assert_ne!(one.id(), key("a", 2).id());
        assert_ne!(one.psk(), &one.id().0);
    }
}
