//! What an elector stores before it answers: the highest ballot that it granted or accepted, and the agreed list.

use bytes::Bytes;
use tertulia_core::ballot::{Ballot, ELECTORS_MAX, read_ids, write_ids};
use tertulia_core::id::PeerId;
use tertulia_core::wire::{Reader, WireError, Writer};

/// The version of the encoding.
const VERSION: u8 = 1;

/// Which list: the ballot of the leader that wrote it, and how often that leader changed it. The larger is the later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// Changes under that ballot.
    pub version: u64,
}

impl Tag {
    pub(super) fn write(&self, w: &mut Writer) {
        self.ballot.write(w);
        w.u64(self.version);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Tag { ballot: Ballot::read(r)?, version: r.u64()? })
    }
}

/// A list of members whose majority elects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// Which one.
    pub tag: Tag,
    /// The members, ascending; nobody for a member without a vote.
    pub members: Vec<PeerId>,
}

impl Roll {
    /// True when `who` is on the list.
    #[must_use]
    pub fn has(&self, who: &PeerId) -> bool {
        self.members.binary_search(who).is_ok()
    }

    pub(super) fn add(&mut self, who: PeerId) {
        if let Err(at) = self.members.binary_search(&who)
            && self.members.len() < ELECTORS_MAX
        {
            self.members.insert(at, who);
        }
    }

    pub(super) fn remove(&mut self, who: &PeerId) {
        if let Ok(at) = self.members.binary_search(who) {
            self.members.remove(at);
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        self.tag.write(w);
        write_ids(w, &self.members);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let roll = Roll { tag: Tag::read(r)?, members: read_ids(r)? };
        if roll.members.is_sorted_by(|a, b| a < b) {
            Ok(roll)
        } else {
            Err(WireError::Range("order of members"))
        }
    }
}

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The highest ballot granted or accepted.
    pub ballot: Ballot,
    /// The last list adopted.
    pub roll: Roll,
}

impl Kept {
    /// As bytes for the store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        w.u8(VERSION);
        self.ballot.write(&mut w);
        self.roll.write(&mut w);
        w.finish()
    }

    /// From the store's bytes.
    ///
    /// # Errors
    /// They were not written by [`encode`](Kept::encode) of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        if r.u8()? != VERSION {
            return Err(WireError::Range("version"));
        }
        let kept = Kept { ballot: Ballot::read(&mut r)?, roll: Roll::read(&mut r)? };
        r.end()?;
        Ok(kept)
    }
}
