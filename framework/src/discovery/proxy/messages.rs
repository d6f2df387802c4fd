//! What is said to a proxy, and what it answers.

use tertulia_core::ballot::Certificate;
use tertulia_core::id::PeerId;
use tertulia_core::wire::{Reader, WireError};

use crate::discovery::service::wire::{
    DONE, Entry, FOUND, REFUSED, RELEASE, bare, begin, code, read_entries, refused, why, write_entries,
};

/// Members that a leader names at most.
pub(super) const MEMBERS_MAX: usize = tertulia_core::ballot::ELECTORS_MAX;
/// Members beside the leader whose addresses a newcomer is given at most.
pub(super) const LIST_MAX: usize = 16;

/// What is asked of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Who leads?
    Who,
    /// I lead. Said again, it is the regular sign of life.
    Lead {
        /// The votes of the majority that elected this leader.
        proof: Certificate,
        /// Those whose majority elects the next leader, this one included, and where they can be reached as far as that
        /// is known.
        members: Vec<Entry>,
    },
    /// I leave, and so lead no longer.
    Resign,
    /// Those that I was sent to do not let me in.
    Doubt,
    /// May I found the group? Nobody else may until I let go, lead, or take too long.
    Found,
    /// I let go of that.
    Release,
}

/// What a proxy answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// In which term there was a leader last, and whom to ask: that leader, then others. Nobody when none is known.
    Ask(u64, Vec<Entry>),
    /// There is a group, and nobody in it is known to answer. That counts for so many seconds.
    Wait(u64),
    /// So be it.
    Done,
    /// No, and why.
    Refused(String),
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Request::Who => bare(1),
            Request::Lead { proof, members } => {
                let mut w = begin(2);
                proof.write(&mut w);
                write_entries(&mut w, members);
                w.finish().to_vec()
            }
            Request::Resign => bare(3),
            Request::Doubt => bare(4),
            Request::Found => bare(FOUND),
            Request::Release => bare(RELEASE),
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let request = match code(&mut r)? {
            1 => Request::Who,
            2 => {
                let proof = Certificate::read(&mut r)?;
                Request::Lead { proof, members: read_entries(&mut r, MEMBERS_MAX)? }
            }
            3 => Request::Resign,
            4 => Request::Doubt,
            FOUND => Request::Found,
            RELEASE => Request::Release,
            _ => return Err(WireError::Range("request")),
        };
        r.end()?;
        Ok(request)
    }
}

impl Answer {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Answer::Ask(term, entries) => {
                let mut w = begin(1);
                w.u64(*term);
                write_entries(&mut w, entries);
                w.finish().to_vec()
            }
            Answer::Wait(seconds) => {
                let mut w = begin(4);
                w.u64(*seconds);
                w.finish().to_vec()
            }
            Answer::Done => bare(DONE),
            Answer::Refused(why) => refused(why),
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let answer = match code(&mut r)? {
            1 => Answer::Ask(r.u64()?, read_entries(&mut r, LIST_MAX + 1)?),
            4 => Answer::Wait(r.u64()?),
            DONE => Answer::Done,
            REFUSED => Answer::Refused(why(&mut r)?),
            _ => return Err(WireError::Range("answer")),
        };
        r.end()?;
        Ok(answer)
    }
}

/// The ids of these members, ascending, each once.
pub(super) fn ids(members: &[Entry]) -> Vec<PeerId> {
    let mut ids: Vec<PeerId> = members.iter().map(|m| m.peer).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let peer = PeerId([7; 32]);
        let entry = Entry { peer, addrs: vec!["tcp://10.0.0.1:1".parse().unwrap()] };
        let proof = Certificate { members: vec![peer], votes: vec![(0, [1; 64])], ..Certificate::default() };
        let lead = Request::Lead { proof, members: vec![entry.clone()] };
        for request in
            [Request::Who, lead.clone(), Request::Resign, Request::Doubt, Request::Found, Request::Release]
        {
            assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
        for answer in
            [Answer::Ask(3, vec![entry]), Answer::Wait(9), Answer::Done, Answer::Refused("it is old".into())]
        {
            assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
        }
        let good = lead.encode();
        for n in 0..good.len() {
            assert!(Request::decode(&good[..n]).is_err(), "cut after {n} bytes");
        }
    }
}
