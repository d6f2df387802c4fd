//! Faults put in on purpose. A test suite that finds nothing wrong with them finds nothing.
//!
//! No profile can plant them: the option is not read from text. Everything that differs from the right ring stands
//! in this file, behind methods that do nothing when nothing is planted.

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::{PeerTable, State};
use tertulia_core::topology::Ctx;

use super::messages::{Around, LIST_MAX, Place, Side};
use super::order;
use super::state::Ring;
use crate::place::place;

/// A fault put in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// `QUIT` as documented: both neighbours of the leaver set their *next* to the other one, and trust that more
    /// than the roster. The successor of the leaver so loses its own; a ring of four or more has a gap there, and
    /// the second departure takes it apart.
    DocumentedQuit,
    /// Joining as in Chord (Stoica et al. 2001): the newcomer takes the one successor that it was told, lists and
    /// predecessors are adopted without a look at whether their entries live, a dead predecessor is never replaced
    /// by one farther away, and nothing is computed from the roster.
    Chord2001Join,
}

/// What a member of a ring of 2001 goes by.
#[derive(Clone, Debug, Default)]
pub(super) struct Chord2001 {
    successors: Vec<PeerId>,
    predecessor: Option<PeerId>,
    /// True once there was a successor: until then its own successor is itself, and whoever comes is a better one.
    had_one: bool,
}

impl Ring {
    fn is_chord(&self) -> bool {
        self.tuning.planted == Some(Planted::Chord2001Join)
    }

    /// The successor list that a planted fault goes by; `None` leaves it to the roster.
    pub(super) fn planted_successors(&mut self, peers: &PeerTable) -> Option<Vec<Peer>> {
        match self.tuning.planted? {
            Planted::DocumentedQuit => {
                let forced = self.forced.and_then(|id| peers.find(&id));
                let live = forced.filter(|&peer| peers.get(peer).is_live());
                self.forced = self.forced.filter(|_| live.is_some());
                live.map(|peer| vec![peer])
            }
            Planted::Chord2001Join => {
                let failed = |id: &PeerId| {
                    let state = peers.find(id).map(|peer| peers.get(peer).state);
                    matches!(state, Some(State::Dead | State::Left))
                };
                // A failed successor is dropped; what comes up behind it is not looked at.
                if self.chord.successors.first().is_some_and(failed) {
                    self.chord.successors.remove(0);
                }
                Some(self.chord.successors.iter().filter_map(|id| peers.find(id)).collect())
            }
        }
    }

    /// With whom a planted fault compares views; `None` leaves it to the ring.
    pub(super) fn planted_partner(&self, peers: &PeerTable) -> Option<Option<Peer>> {
        let first = || self.chord.successors.first().and_then(|id| peers.find(id));
        self.is_chord().then(first)
    }

    /// What a planted fault tells others of itself.
    pub(super) fn around_planted(&self, peers: &PeerTable) -> Option<Around> {
        let named = |id: &PeerId| {
            let known = peers.find(id).map(|peer| place(peers, peer));
            known.unwrap_or_else(|| Place { id: *id, addrs: Vec::new() })
        };
        self.is_chord().then(|| Around {
            predecessor: self.chord.predecessor.as_ref().map(named),
            successors: self.chord.successors.iter().take(LIST_MAX).map(named).collect(),
        })
    }

    /// Takes the one successor that a newcomer was told. True when a fault took the message.
    pub(super) fn accept_planted(&mut self, cx: &mut Ctx<'_>, around: &Around) -> bool {
        if !self.is_chord() {
            return false;
        }
        if let Some(first) = around.successors.first() {
            cx.out.learn(first.id, first.addrs.clone());
            self.chord.successors = vec![first.id];
            self.chord.had_one = true;
            self.look_at(cx.now);
        }
        true
    }

    /// Somebody believes to be our predecessor.
    pub(super) fn notify_planted(&mut self, cx: &Ctx<'_>, who: PeerId) {
        if !self.is_chord() {
            return;
        }
        let me = cx.me();
        if self.chord.predecessor.is_none_or(|before| order::between(before, who, me)) {
            self.chord.predecessor = Some(who);
        }
        if !self.chord.had_one {
            self.chord.had_one = true;
            self.chord.successors.push(who);
        }
    }

    /// Adopts what the successor says. True when a fault took the message.
    pub(super) fn adopt_planted(&mut self, cx: &mut Ctx<'_>, from: Peer, around: &Around) -> bool {
        if !self.is_chord() {
            return false;
        }
        let (me, successor) = (cx.me(), cx.peers.id(from));
        if self.chord.successors.first() != Some(&successor) {
            return true;
        }
        let mut list = vec![successor];
        list.extend(around.successors.iter().map(|place| place.id));
        if let Some(nearer) = &around.predecessor
            && order::between(me, nearer.id, successor)
        {
            list.insert(0, nearer.id);
        }
        list.retain(|id| *id != me);
        list.truncate(self.tuning.successors);
        self.chord.successors = list;
        for named in around.predecessor.iter().chain(&around.successors) {
            if named.id != me && !named.addrs.is_empty() {
                cx.out.learn(named.id, named.addrs.clone());
            }
        }
        self.look_at(cx.now);
        self.settle(cx);
        true
    }

    /// A leaver named its heir.
    pub(super) fn quit_planted(&mut self, cx: &Ctx<'_>, side: Side, heir: PeerId) {
        if self.tuning.planted == Some(Planted::DocumentedQuit) && side == Side::Successor && heir != cx.me()
        {
            self.forced = Some(heir);
        }
    }
}
