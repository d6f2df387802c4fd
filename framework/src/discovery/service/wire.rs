//! What the messages of all services have in common: a version byte, a code, and entries of peers.

use tertulia_core::id::PeerId;
use tertulia_core::wire::{Reader, WireError, Writer};

use crate::link::Locator;

/// The version of these protocols.
const VERSION: u8 = 1;
/// Codes that mean the same to every kind of service. Requests: who asks may found the group, or lets go of that.
pub(in crate::discovery) const FOUND: u8 = 5;
pub(in crate::discovery) const RELEASE: u8 = 6;
/// Answers: so be it; no, and why.
pub(in crate::discovery) const DONE: u8 = 2;
pub(in crate::discovery) const REFUSED: u8 = 3;

/// Addresses of a peer at most.
pub(in crate::discovery) const ADDRS_MAX: usize = 4;
/// Bytes of a refusal at most.
const WHY_MAX: usize = 128;

/// A peer, and where it can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::discovery) struct Entry {
    pub(in crate::discovery) peer: PeerId,
    pub(in crate::discovery) addrs: Vec<Locator>,
}

/// Begins a message.
pub(in crate::discovery) fn begin(code: u8) -> Writer {
    let mut w = Writer::new();
    w.u8(VERSION).u8(code);
    w
}

/// Begins to read a message: its code.
pub(in crate::discovery) fn code(r: &mut Reader<'_>) -> Result<u8, WireError> {
    if r.u8()? == VERSION { r.u8() } else { Err(WireError::Range("version")) }
}

/// A message that is its code alone.
pub(in crate::discovery) fn bare(code: u8) -> Vec<u8> {
    begin(code).finish().to_vec()
}

/// A refusal.
pub(in crate::discovery) fn refused(why: &str) -> Vec<u8> {
    let mut w = begin(REFUSED);
    w.text(&why[..why.floor_char_boundary(WHY_MAX)]);
    w.finish().to_vec()
}

/// What follows the code of a refusal.
pub(in crate::discovery) fn why(r: &mut Reader<'_>) -> Result<String, WireError> {
    r.text("reason", WHY_MAX).map(ToOwned::to_owned)
}

/// An answer that says yes or no and nothing else.
pub(in crate::discovery) fn yes_or_no(bytes: &[u8]) -> Result<Result<(), String>, WireError> {
    let mut r = Reader::new(bytes);
    let answer = match code(&mut r)? {
        DONE => Ok(()),
        REFUSED => Err(why(&mut r)?),
        _ => return Err(WireError::Range("answer")),
    };
    r.end()?;
    Ok(answer)
}

/// Appends addresses, at most [`ADDRS_MAX`] of them.
pub(in crate::discovery) fn write_addrs(w: &mut Writer, addrs: &[Locator]) {
    let addrs = &addrs[..addrs.len().min(ADDRS_MAX)];
    w.varint(addrs.len() as u64);
    for addr in addrs {
        w.text(addr.as_str());
    }
}

/// Reads what [`write_addrs`] wrote.
pub(in crate::discovery) fn read_addrs(r: &mut Reader<'_>) -> Result<Vec<Locator>, WireError> {
    let n = r.count("addresses", ADDRS_MAX, 1)?;
    let mut addr = |_| r.text("address", Locator::MAX)?.parse().map_err(|_| WireError::Range("address"));
    (0..n).map(&mut addr).collect()
}

/// Appends peers behind their count.
pub(in crate::discovery) fn write_entries(w: &mut Writer, entries: &[Entry]) {
    w.varint(entries.len() as u64);
    for entry in entries {
        w.raw(&entry.peer.0);
        write_addrs(w, &entry.addrs);
    }
}

/// Reads what [`write_entries`] wrote.
pub(in crate::discovery) fn read_entries(r: &mut Reader<'_>, most: usize) -> Result<Vec<Entry>, WireError> {
    let n = r.count("peers", most, 33)?;
    (0..n).map(|_| Ok(Entry { peer: r.peer_id()?, addrs: read_addrs(r)? })).collect()
}
