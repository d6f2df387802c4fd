//! Ballots, and the certificate of an election's winner.
//!
//! A leader proves its office by the signed votes of a majority. Whoever holds the certificate can check it with the
//! members' public keys and needs no word of anybody: members before they obey, services before they are moved.

use bytes::Bytes;

use crate::auth::{Auth, Signature};
use crate::id::{Digest, PeerId};
use crate::wire::{Reader, WireError, Writer};

/// Members that an election counts at most.
pub const ELECTORS_MAX: usize = 512;

/// The numbers drawn for a candidacy.
pub type Rank = [u32; 4];

/// A candidacy: compared by term, then by rank, then by the candidate's id; so no two are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// The index of the election.
    pub term: u64,
    /// Drawn anew for each candidacy.
    pub rank: Rank,
    /// Who stands.
    pub peer: PeerId,
}

impl Ballot {
    /// Bytes of a ballot on the wire.
    pub const LEN: usize = 56;

    /// Appends the ballot.
    pub fn write(&self, w: &mut Writer) {
        w.u64(self.term);
        for n in self.rank {
            w.u32(n);
        }
        w.raw(&self.peer.0);
    }

    /// Reads a ballot.
    ///
    /// # Errors
    /// The bytes end too early.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let term = r.u64()?;
        let rank = [r.u32()?, r.u32()?, r.u32()?, r.u32()?];
        Ok(Ballot { term, rank, peer: r.peer_id()? })
    }
}

/// More than half of so many.
#[must_use]
pub const fn majority(members: usize) -> usize {
    members / 2 + 1
}

/// The digest that names a list of members; they are given in ascending order.
#[must_use]
pub fn list_digest(auth: &dyn Auth, members: &[PeerId]) -> Digest {
    let parts: Vec<&[u8]> =
        [b"tertulia electors".as_slice()].into_iter().chain(members.iter().map(|m| &m.0[..])).collect();
    auth.digest(&parts)
}

/// What a vote signs: the ballot, and the list whose majority is asked.
#[must_use]
pub fn vote_digest(auth: &dyn Auth, ballot: &Ballot, list: &Digest) -> Digest {
    let mut w = Writer::new();
    ballot.write(&mut w);
    auth.digest(&[b"tertulia vote", &w.finish(), &list.0])
}

/// The signed votes of a majority for one ballot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// The ballot that won.
    pub ballot: Ballot,
    /// The members whose majority was asked, ascending.
    pub members: Vec<PeerId>,
    /// Places in `members`, ascending, and what stands there voted.
    pub votes: Vec<(u16, Signature)>,
}

impl Certificate {
    /// A certificate of these votes; votes of others than `members` are left out.
    #[must_use]
    pub fn new<'a>(
        ballot: Ballot,
        members: Vec<PeerId>,
        votes: impl IntoIterator<Item = (&'a PeerId, &'a Signature)>,
    ) -> Self {
        let place = |who: &PeerId| members.binary_search(who).ok().and_then(|at| u16::try_from(at).ok());
        let mut votes: Vec<(u16, Signature)> =
            votes.into_iter().filter_map(|(who, vote)| Some((place(who)?, *vote))).collect();
        votes.sort_unstable_by_key(|v| v.0);
        Certificate { ballot, members, votes }
    }

    /// True when a majority of the members it names signed for the ballot, and the winner is one of them.
    ///
    /// Whether these are the right members is for the caller to judge: a member knows its list, a service the list
    /// of the leader before.
    #[must_use]
    pub fn verify(&self, auth: &dyn Auth) -> bool {
        let ascending = self.members.is_sorted_by(|a, b| a < b) && self.votes.is_sorted_by(|a, b| a.0 < b.0);
        let listed = self.members.binary_search(&self.ballot.peer).is_ok();
        if !ascending || !listed || self.votes.len() < majority(self.members.len()) {
            return false;
        }
        let digest = vote_digest(auth, &self.ballot, &list_digest(auth, &self.members));
        self.votes.iter().all(|(at, vote)| {
            self.members.get(usize::from(*at)).is_some_and(|who| auth.verify(who, &digest, vote))
        })
    }

    /// As bytes, as in the event of a new leader.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        self.write(&mut w);
        w.finish()
    }

    /// From bytes; it is not verified.
    ///
    /// # Errors
    /// The bytes are no certificate, or more than one.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let certificate = Certificate::read(&mut r)?;
        r.end()?;
        Ok(certificate)
    }

    /// Appends the certificate.
    pub fn write(&self, w: &mut Writer) {
        self.ballot.write(w);
        write_ids(w, &self.members);
        w.varint(self.votes.len() as u64);
        for (at, vote) in &self.votes {
            w.u16(*at).raw(vote);
        }
    }

    /// Reads a certificate; it is not verified.
    ///
    /// # Errors
    /// The bytes are none, or name more than [`ELECTORS_MAX`] members or votes.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let ballot = Ballot::read(r)?;
        let members = read_ids(r)?;
        let n = r.count("votes", ELECTORS_MAX, 66)?;
        let votes = (0..n).map(|_| Ok((r.u16()?, r.array()?))).collect::<Result<_, WireError>>()?;
        Ok(Certificate { ballot, members, votes })
    }
}

/// Appends ids behind their count, at most [`ELECTORS_MAX`] of them.
pub fn write_ids(w: &mut Writer, ids: &[PeerId]) {
    let n = ids.len().min(ELECTORS_MAX);
    w.varint(n as u64);
    for id in &ids[..n] {
        w.raw(&id.0);
    }
}

/// Reads what [`write_ids`] wrote.
///
/// # Errors
/// The bytes end too early, or there are too many.
pub fn read_ids(r: &mut Reader<'_>) -> Result<Vec<PeerId>, WireError> {
    let n = r.count("members", ELECTORS_MAX, 32)?;
    (0..n).map(|_| r.peer_id()).collect()
}
