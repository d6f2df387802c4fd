//! What peers and seeds say to each other: a version byte, a code, and what belongs to it.

use tertulia_core::id::PeerId;
use tertulia_core::wire::{Reader, WireError};

use crate::discovery::service::wire::{
    DONE, Entry, FOUND, REFUSED, RELEASE, bare, begin, code, read_addrs, read_entries, refused, why,
    write_addrs, write_entries,
};
use crate::link::Locator;

/// Peers in one list at most; of more, a seed names some at random.
pub(super) const LIST_MAX: usize = 256;

/// What a peer asks of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Who is there?
    List,
    /// I am here, and who else? Said again, it is the periodic update.
    Register(Vec<Locator>),
    /// I leave.
    Leave,
    /// This peer does not answer.
    Report(PeerId),
    /// May I found the group? Nobody else may until I let go, register, or take too long.
    Found,
    /// I let go of that.
    Release,
}

/// What a seed answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The peers that it knows, without the one that asks.
    Peers(Vec<Entry>),
    /// So be it.
    Done,
    /// No, and why.
    Refused(String),
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Request::List => bare(1),
            Request::Register(addrs) => {
                let mut w = begin(2);
                write_addrs(&mut w, addrs);
                w.finish().to_vec()
            }
            Request::Leave => bare(3),
            Request::Report(peer) => {
                let mut w = begin(4);
                w.raw(&peer.0);
                w.finish().to_vec()
            }
            Request::Found => bare(FOUND),
            Request::Release => bare(RELEASE),
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let request = match code(&mut r)? {
            1 => Request::List,
            2 => Request::Register(read_addrs(&mut r)?),
            3 => Request::Leave,
            4 => Request::Report(r.peer_id()?),
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
            Answer::Peers(entries) => {
                let mut w = begin(1);
                write_entries(&mut w, entries);
                w.finish().to_vec()
            }
            Answer::Done => bare(DONE),
            Answer::Refused(why) => refused(why),
        }
    }

    /// A list of peers, or why there is none.
    pub(super) fn peers(bytes: &[u8]) -> Result<Result<Vec<Entry>, String>, WireError> {
        match Answer::decode(bytes)? {
            Answer::Peers(peers) => Ok(Ok(peers)),
            Answer::Refused(why) => Ok(Err(why)),
            Answer::Done => Err(WireError::Range("answer")),
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let answer = match code(&mut r)? {
            1 => Answer::Peers(read_entries(&mut r, LIST_MAX)?),
            DONE => Answer::Done,
            REFUSED => Answer::Refused(why(&mut r)?),
            _ => return Err(WireError::Range("answer")),
        };
        r.end()?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u8) -> Entry {
        Entry { peer: PeerId([n; 32]), addrs: vec![format!("tcp://10.0.0.{n}:1").parse().unwrap()] }
    }

    #[test]
    fn what_is_said_is_understood() {
        let peer = PeerId([7; 32]);
        for request in [
            Request::List,
            Request::Register(entry(1).addrs),
            Request::Leave,
            Request::Report(peer),
            Request::Found,
            Request::Release,
        ] {
            assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
        for answer in
            [Answer::Peers(vec![entry(1), entry(2)]), Answer::Done, Answer::Refused("it is full".into())]
        {
            assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
        }
    }

    #[test]
    fn what_no_peer_says_is_refused() {
        let good = Answer::Peers(vec![entry(1), entry(2)]).encode();
        for n in 0..good.len() {
            assert!(Answer::decode(&good[..n]).is_err(), "cut after {n} bytes");
        }
        assert!(Answer::decode(&[good.as_slice(), &[0]].concat()).is_err(), "something behind it");
        for bad in [&[2, 1][..], &[1, 0], &[1, 7], &[1, 2, 5], &[1, 2, 1, 3, b'a', b' ', b'b'], &[]] {
            assert!(Request::decode(bad).is_err(), "{bad:?}");
        }
        // A count that promises more than follows.
        assert!(Answer::decode(&[1, 1, 0xff, 1]).is_err());
    }
}
