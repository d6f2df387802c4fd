//! What electors say to each other, and the same as bytes.
//!
//! | message | from → to | says |
//! |---|---|---|
//! | `PRE_VOTE` | member without a leader → electors | would you vote, if I stood with this ballot? |
//! | `PRE_VOTE_REPLY` | elector → asker | whether, and the highest ballot accepted here |
//! | `REQUEST_VOTE` | candidate → electors | I stand with this ballot |
//! | `VOTE` | elector → candidate | a signature, or none, and the highest ballot accepted here |
//! | `LEADER` | leader → member | I lead: certificate and list |
//! | `HEARTBEAT` | leader → member | I still lead, and the list is still that one |
//! | `HEARTBEAT_REPLY` | member → leader | the highest ballot accepted here, and the list held |
//! | `RESIGN` | leaver → follower | stand at once |
//! | `NO_VOTE` | member → asker or leader; leaver → electors | under that list I vote no more: do not count on me |

use bytes::Bytes;
use tertulia_core::auth::Signature;
use tertulia_core::ballot::{Ballot, Certificate};
use tertulia_core::id::Digest;
use tertulia_core::wire::{Reader, WireError, Writer};

use super::kept::{Roll, Tag};

/// A message of the election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Would you vote?
    Pre {
        /// The ballot that would be stood with. Voters look at its term only.
        ballot: Ballot,
        /// The asker's list.
        tag: Tag,
    },
    /// Whether.
    PreReply {
        /// The ballot asked about.
        ballot: Ballot,
        /// Yes or no.
        yes: bool,
        /// The highest ballot accepted here.
        seen: Ballot,
    },
    /// I stand.
    Request {
        /// With this ballot.
        ballot: Ballot,
        /// The candidate's list.
        tag: Tag,
        /// Names the members whose majority is asked.
        list: Digest,
    },
    /// A vote, or none.
    Vote {
        /// For this ballot.
        ballot: Ballot,
        /// The signed vote; `None` when it is refused.
        vote: Option<Signature>,
        /// The highest ballot accepted here.
        seen: Ballot,
    },
    /// I lead.
    Lead {
        /// Counts heartbeats.
        number: u64,
        /// The agreed list.
        roll: Roll,
        /// The votes that say so.
        proof: Certificate,
    },
    /// I still lead.
    Beat {
        /// Counts heartbeats.
        number: u64,
        /// The leader's ballot.
        ballot: Ballot,
        /// The list.
        tag: Tag,
    },
    /// Heard.
    Ack {
        /// The heartbeat's number.
        number: u64,
        /// The highest ballot accepted here: the leader's own, when it is obeyed.
        seen: Ballot,
        /// The list held; zero asks for it, and for the certificate.
        tag: Tag,
    },
    /// Stand at once: the leader of this ballot goes.
    Resign {
        /// The leader's ballot.
        ballot: Ballot,
    },
    /// I gave my vote up, or lost what I stored: under this list I will not vote any more.
    NoVote {
        /// The list that names me.
        tag: Tag,
        /// The highest ballot accepted here: no vote of mine is for a higher one.
        seen: Ballot,
    },
}

impl Message {
    /// The first code and the one after the last.
    pub const CODES: core::ops::Range<u8> = 1..10;

    /// The message's name, for the log and `/trace`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Message::Pre { .. } => "PRE_VOTE",
            Message::PreReply { .. } => "PRE_VOTE_REPLY",
            Message::Request { .. } => "REQUEST_VOTE",
            Message::Vote { .. } => "VOTE",
            Message::Lead { .. } => "LEADER",
            Message::Beat { .. } => "HEARTBEAT",
            Message::Ack { .. } => "HEARTBEAT_REPLY",
            Message::Resign { .. } => "RESIGN",
            Message::NoVote { .. } => "NO_VOTE",
        }
    }

    const fn code(&self) -> u8 {
        match self {
            Message::Pre { .. } => 1,
            Message::PreReply { .. } => 2,
            Message::Request { .. } => 3,
            Message::Vote { .. } => 4,
            Message::Lead { .. } => 5,
            Message::Beat { .. } => 6,
            Message::Ack { .. } => 7,
            Message::Resign { .. } => 8,
            Message::NoVote { .. } => 9,
        }
    }

    /// Appends the message: a code, then the fields in order.
    pub fn write(&self, w: &mut Writer) {
        w.u8(self.code());
        match self {
            Message::Pre { ballot, tag } => {
                ballot.write(w);
                tag.write(w);
            }
            Message::PreReply { ballot, yes, seen } => {
                ballot.write(w);
                w.u8(u8::from(*yes));
                seen.write(w);
            }
            Message::Request { ballot, tag, list } => {
                ballot.write(w);
                tag.write(w);
                w.raw(&list.0);
            }
            Message::Vote { ballot, vote, seen } => {
                ballot.write(w);
                w.u8(u8::from(vote.is_some())).raw(&vote.unwrap_or([0; 64]));
                seen.write(w);
            }
            Message::Lead { number, roll, proof } => {
                w.u64(*number);
                roll.write(w);
                proof.write(w);
            }
            Message::Beat { number, ballot, tag } | Message::Ack { number, seen: ballot, tag } => {
                w.u64(*number);
                ballot.write(w);
                tag.write(w);
            }
            Message::Resign { ballot } => ballot.write(w),
            Message::NoVote { tag, seen } => {
                tag.write(w);
                seen.write(w);
            }
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The bytes are none, or something in it is beyond its limit.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let message = match r.u8()? {
            1 => Message::Pre { ballot: Ballot::read(r)?, tag: Tag::read(r)? },
            2 => Message::PreReply { ballot: Ballot::read(r)?, yes: flag(r)?, seen: Ballot::read(r)? },
            3 => Message::Request { ballot: Ballot::read(r)?, tag: Tag::read(r)?, list: Digest(r.array()?) },
            4 => {
                let (ballot, granted, vote) = (Ballot::read(r)?, flag(r)?, r.array()?);
                Message::Vote { ballot, vote: granted.then_some(vote), seen: Ballot::read(r)? }
            }
            5 => Message::Lead { number: r.u64()?, roll: Roll::read(r)?, proof: Certificate::read(r)? },
            6 => Message::Beat { number: r.u64()?, ballot: Ballot::read(r)?, tag: Tag::read(r)? },
            7 => Message::Ack { number: r.u64()?, seen: Ballot::read(r)?, tag: Tag::read(r)? },
            8 => Message::Resign { ballot: Ballot::read(r)? },
            9 => Message::NoVote { tag: Tag::read(r)?, seen: Ballot::read(r)? },
            _ => return Err(WireError::Range("code")),
        };
        Ok(message)
    }

    /// The message alone, as bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::new();
        self.write(&mut w);
        w.finish()
    }
}

fn flag(r: &mut Reader<'_>) -> Result<bool, WireError> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(WireError::Range("flag")),
    }
}
