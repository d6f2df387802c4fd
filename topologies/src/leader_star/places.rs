//! Where newcomers can be dialled before the roster says so.
//!
//! Who comes to the list is told to its holders with the list, addresses and all: those that came in one after the other
//! and lose their leader before they have heard of each other meet all the same.

use std::collections::BTreeMap;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::{Addr, State};
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::admit::REMEMBER;
use super::messages::PLACES_MAX;
use super::state::Star;
use crate::election::Roll;
use crate::place::Place;

/// Addresses of newcomers, and when they were told.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<PeerId, (Vec<Addr>, Instant)>);

impl Places {
    /// Remembers where a newcomer can be dialled.
    pub(super) fn note(&mut self, now: Instant, place: Place) {
        self.0.retain(|_, (_, since)| now.since(*since) < REMEMBER);
        let room = self.0.len() < PLACES_MAX || self.0.contains_key(&place.id);
        if room && !place.addrs.is_empty() {
            self.0.insert(place.id, (place.addrs, now));
        }
    }

    /// Those on this list.
    pub(super) fn on(&self, roll: &Roll) -> Vec<Place> {
        let on_it = self.0.iter().filter(|(id, _)| roll.has(id));
        on_it.map(|(&id, (addrs, _))| Place { id, addrs: addrs.clone() }).collect()
    }
}

impl Star {
    /// The leader says where those on its list can be dialled that came lately.
    pub(super) fn hear_places(&mut self, cx: &Ctx<'_>, from: Peer, places: Vec<Place>) {
        if self.leader() == Some(cx.peers.id(from)) {
            places.into_iter().for_each(|place| self.places.note(cx.now, place));
        }
    }

    /// Members on the list of whom the roster says nothing and who can be dialled.
    pub(super) fn strangers(&self, cx: &mut Ctx<'_>) -> Vec<Peer> {
        let Some(election) = &self.election else { return Vec::new() };
        let (me, peers) = (cx.me(), cx.peers);
        let known = |id: &PeerId| peers.find(id).is_some_and(|p| !peers.get(p).addrs.is_empty());
        for place in self.places.on(election.roll()).into_iter().filter(|p| p.id != me && !known(&p.id)) {
            // The engine knows it after this call; whoever has no leader looks again soon.
            cx.out.learn(place.id, place.addrs);
        }
        let others = election.roll().members.iter().filter(|id| **id != me && known(id));
        others.filter_map(|id| peers.find(id)).filter(|p| peers.get(*p).state == State::Unknown).collect()
    }
}
