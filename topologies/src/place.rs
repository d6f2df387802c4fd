//! A member and where it can be dialled, as the messages of every topology name it.

use std::sync::Arc;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::{ADDR_MAX, ADDRS_MAX, Addr, PeerTable};
use tertulia_core::wire::{Reader, WireError, Writer};

/// Bytes of a place at least: an id and a count.
const LEAST: usize = 33;

/// A member, and where it can be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who.
    pub id: PeerId,
    /// Where.
    pub addrs: Vec<Addr>,
}

/// What the table knows of a member.
pub(crate) fn place(peers: &PeerTable, peer: Peer) -> Place {
    let entry = peers.get(peer);
    Place { id: entry.id, addrs: entry.addrs.clone() }
}

/// Appends addresses; those beyond their limits are left out.
pub(crate) fn put_addrs<'a>(w: &'a mut Writer, addrs: &[Addr]) -> &'a mut Writer {
    let fitting = || addrs.iter().filter(|a| a.len() <= ADDR_MAX).take(ADDRS_MAX);
    w.varint(fitting().count() as u64);
    fitting().fold(w, |w, addr| w.text(addr))
}

pub(crate) fn get_addrs(r: &mut Reader<'_>) -> Result<Vec<Addr>, WireError> {
    let n = r.count("addresses", ADDRS_MAX, 1)?;
    (0..n).map(|_| r.text("address", ADDR_MAX).map(Arc::from)).collect()
}

pub(crate) fn put_place<'a>(w: &'a mut Writer, place: &Place) -> &'a mut Writer {
    put_addrs(w.raw(&place.id.0), &place.addrs)
}

pub(crate) fn get_place(r: &mut Reader<'_>) -> Result<Place, WireError> {
    Ok(Place { id: r.peer_id()?, addrs: get_addrs(r)? })
}

/// Appends places, the first `most` of them.
pub(crate) fn put_places<'a>(w: &'a mut Writer, places: &[Place], most: usize) -> &'a mut Writer {
    let n = places.len().min(most);
    w.varint(n as u64);
    places[..n].iter().fold(w, put_place)
}

pub(crate) fn get_places(r: &mut Reader<'_>, most: usize) -> Result<Vec<Place>, WireError> {
    let n = r.count("members", most, LEAST)?;
    (0..n).map(|_| get_place(r)).collect()
}
