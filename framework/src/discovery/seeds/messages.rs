//! What peers and seeds say to each other: a version byte, a code, and what belongs to it.

use tertulia_core::id::PeerId;
use tertulia_core::wire::{Reader, WireError, Writer};

use crate::link::Locator;

const VERSION: u8 = 1;

/// Peers in one list at most; of more, a seed names some at random.
pub(super) const LIST_MAX: usize = 256;
/// Addresses of a peer at most.
pub(super) const ADDRS_MAX: usize = 4;
/// Bytes of a refusal at most.
const WHY_MAX: usize = 128;

/// A peer, and where it can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) peer: PeerId,
    pub(super) addrs: Vec<Locator>,
}

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
        let mut w = Writer::new();
        w.u8(VERSION);
        match self {
            Request::List => w.u8(1),
            Request::Register(addrs) => {
                w.u8(2);
                write_addrs(&mut w, addrs);
                &mut w
            }
            Request::Leave => w.u8(3),
            Request::Report(peer) => w.u8(4).raw(&peer.0),
            Request::Found => w.u8(5),
            Request::Release => w.u8(6),
        };
        w.finish().to_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        version(&mut r)?;
        let request = match r.u8()? {
            1 => Request::List,
            2 => Request::Register(read_addrs(&mut r)?),
            3 => Request::Leave,
            4 => Request::Report(r.peer_id()?),
            5 => Request::Found,
            6 => Request::Release,
            _ => return Err(WireError::Range("request")),
        };
        r.end()?;
        Ok(request)
    }
}

impl Answer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION);
        match self {
            Answer::Peers(entries) => {
                w.u8(1);
                write_entries(&mut w, entries);
            }
            Answer::Done => {
                w.u8(2);
            }
            Answer::Refused(why) => {
                w.u8(3).text(&why[..why.floor_char_boundary(WHY_MAX)]);
            }
        }
        w.finish().to_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        version(&mut r)?;
        let answer = match r.u8()? {
            1 => Answer::Peers(read_entries(&mut r, LIST_MAX)?),
            2 => Answer::Done,
            3 => Answer::Refused(r.text("reason", WHY_MAX)?.to_owned()),
            _ => return Err(WireError::Range("answer")),
        };
        r.end()?;
        Ok(answer)
    }
}

fn version(r: &mut Reader<'_>) -> Result<(), WireError> {
    if r.u8()? == VERSION { Ok(()) } else { Err(WireError::Range("version")) }
}

/// Appends addresses, at most [`ADDRS_MAX`] of them.
pub(super) fn write_addrs(w: &mut Writer, addrs: &[Locator]) {
    let addrs = &addrs[..addrs.len().min(ADDRS_MAX)];
    w.varint(addrs.len() as u64);
    for addr in addrs {
        w.text(addr.as_str());
    }
}

/// Reads what [`write_addrs`] wrote.
pub(super) fn read_addrs(r: &mut Reader<'_>) -> Result<Vec<Locator>, WireError> {
    let n = r.count("addresses", ADDRS_MAX, 1)?;
    let addr = |_| r.text("address", Locator::MAX)?.parse().map_err(|_| WireError::Range("address"));
    (0..n).map(addr).collect()
}

/// Appends peers behind their count.
pub(super) fn write_entries(w: &mut Writer, entries: &[Entry]) {
    w.varint(entries.len() as u64);
    for entry in entries {
        w.raw(&entry.peer.0);
        write_addrs(w, &entry.addrs);
    }
}

/// Reads what [`write_entries`] wrote.
pub(super) fn read_entries(r: &mut Reader<'_>, most: usize) -> Result<Vec<Entry>, WireError> {
    let n = r.count("peers", most, 33)?;
    (0..n).map(|_| Ok(Entry { peer: r.peer_id()?, addrs: read_addrs(r)? })).collect()
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
