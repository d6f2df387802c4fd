//! What one member of a star remembers, and its part in the election.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::State;
use tertulia_core::time::{Instant, earliest};
use tertulia_core::topology::Ctx;

use super::admit::{Admissions, REMEMBER};
use super::config::{Config, Routing};
use super::join::Joining;
use super::messages::Msg;
use super::order::Sequence;
use super::places::Places;
use crate::election::{Effect, Election, Io, Message, Settings};

/// Where this node stands.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Neither a member nor on the way.
    Outside,
    /// On the way in.
    Joining(Joining),
    /// A member.
    Member,
    /// On the way out; the time when it goes without waiting for the next leader.
    Leaving(Instant),
    /// Out.
    Gone,
}

/// One member of a star.
#[derive(Clone, Debug)]
pub(super) struct Star {
    pub(super) routing: Routing,
    pub(super) settings: Settings,
    pub(super) phase: Phase,
    /// From the moment when this node sets out to be a member; it has its vote of an earlier run before it is one.
    pub(super) election: Option<Election>,
    /// Whom this node wants links to; the time when one that is not needed any more is let go.
    pub(super) wanted: BTreeMap<Peer, Option<Instant>>,
    /// Peers with a link.
    pub(super) linked: BTreeSet<Peer>,
    /// Through whom this node came in; kept until the leader is linked.
    pub(super) anchor: Option<Peer>,
    pub(super) admissions: Admissions,
    pub(super) places: Places,
    pub(super) sequence: Sequence,
    /// The leader and term that people were last told of.
    told: Option<(PeerId, u64)>,
    /// People were told that messages wait.
    pub(super) waits: bool,
    /// Messages have somewhere to go.
    pub(super) has_way: bool,
    /// Linked live members, computed on first use.
    pub(super) routes: Option<Vec<Peer>>,
    /// When to look again at links.
    pub(super) look: Option<Instant>,
    effects: Vec<Effect>,
    /// Frames that made no sense.
    pub(super) ignored: u64,
}

impl Star {
    pub(super) fn new(config: &Config) -> Self {
        Star {
            routing: config.routing,
            settings: config.settings(),
            phase: Phase::Outside,
            election: None,
            wanted: BTreeMap::new(),
            linked: BTreeSet::new(),
            anchor: None,
            admissions: Admissions::default(),
            places: Places::default(),
            sequence: Sequence::default(),
            told: None,
            waits: false,
            has_way: false,
            routes: None,
            look: None,
            effects: Vec::new(),
            ignored: 0,
        }
    }

    /// True for members, those on the way out included.
    pub(super) fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Member | Phase::Leaving(_))
    }

    /// True while this node leads.
    pub(super) fn leads(&self) -> bool {
        self.election.as_ref().is_some_and(Election::is_leader)
    }

    /// The leader's id, as far as known.
    pub(super) fn leader(&self) -> Option<PeerId> {
        self.election.as_ref().and_then(Election::leader)
    }

    /// The leader, when it is another and there is a link to it.
    pub(super) fn linked_leader(&self, cx: &Ctx<'_>) -> Option<Peer> {
        let peer = cx.peers.find(&self.leader()?)?;
        self.linked.contains(&peer).then_some(peer)
    }

    /// Asks to be called again at `at` or before.
    pub(super) fn look_at(&mut self, at: Instant) {
        self.look = earliest(self.look, Some(at));
    }

    /// Takes part in elections from now on, with what an earlier run kept.
    pub(super) fn begin(&mut self, cx: &mut Ctx<'_>, stored: Option<&Bytes>) {
        if self.election.is_none() {
            self.election = Some(Election::new(cx.me(), self.settings, stored.map(|bytes| &bytes[..])));
            self.elect(cx, Election::start);
            self.count_members(cx);
        }
    }

    /// Lets the election do something, does what it wants, and draws the consequences.
    pub(super) fn elect(&mut self, cx: &mut Ctx<'_>, f: impl FnOnce(&mut Election, &mut Io<'_>)) {
        let Some(election) = &mut self.election else { return };
        let mut out = core::mem::take(&mut self.effects);
        f(election, &mut Io { now: cx.now, rng: cx.rng, auth: cx.auth, out: &mut out });
        for effect in out.drain(..) {
            match effect {
                Effect::Persist(bytes) => cx.out.persist(bytes),
                Effect::Send(to, message) => {
                    if let Some(peer) = cx.peers.find(&to).filter(|p| self.linked.contains(p)) {
                        let places = match &message {
                            Message::Lead { roll, .. } => self.places.on(roll),
                            _ => Vec::new(),
                        };
                        send(cx, peer, &Msg::Election(message, places));
                    }
                }
            }
        }
        self.effects = out;
        self.settle(cx);
    }

    /// Tells the election who is there: live members, those that a leader lets in, and those on its list of whom nobody
    /// says that they are gone, as long as they answer.
    pub(super) fn count_members(&mut self, cx: &mut Ctx<'_>) {
        let Some(election) = &self.election else { return };
        let state = |id: &PeerId| cx.peers.find(id).map_or(State::Unknown, |p| cx.peers.get(p).state);
        let mut present: BTreeSet<PeerId> = cx.peers.live().map(|(_, e)| e.id).collect();
        let (mut left, mut look) = (BTreeSet::new(), None);
        let guests = self.guests(cx);
        present.extend(guests.iter().filter(|(_, until)| **until > cx.now).map(|(id, _)| *id));
        let others = |id: &&PeerId| !present.contains(*id) && !guests.contains_key(*id);
        for id in election.roll().members.iter().filter(others).collect::<Vec<_>>() {
            let until = election.heard(id).map(|at| at + REMEMBER);
            match state(id) {
                State::Unknown if until.is_none_or(|until| until > cx.now) => {
                    present.insert(*id);
                    look = earliest(look, until);
                }
                State::Left => drop(left.insert(*id)),
                _ => {}
            }
        }
        if let Some(at) = look {
            self.look_at(at);
        }
        self.elect(cx, |election, io| election.set_members(io, present, left));
    }

    /// Something changed: links, what people are told, and whether messages have somewhere to go.
    pub(super) fn settle(&mut self, cx: &mut Ctx<'_>) {
        self.routes = None;
        self.keep_links(cx);
        if self.leads() && matches!(self.phase, Phase::Outside | Phase::Joining(_)) {
            // Members of earlier runs elected this one before anybody could let it in: it is in.
            self.become_member(cx);
        }
        self.let_in(cx);
        self.watch_guests(cx);
        self.tell_leader(cx);
        self.part_when_led(cx);
        let member = matches!(self.phase, Phase::Member);
        self.has_way = self.routing == Routing::Direct || self.leads() || self.linked_leader(cx).is_some();
        let waits = member && !self.has_way;
        if waits && !self.waits {
            cx.out.waiting("there is no leader: messages wait until a majority has elected one".into());
        }
        self.waits = waits;
        self.follow_order(cx);
    }

    fn tell_leader(&mut self, cx: &mut Ctx<'_>) {
        let Some(election) = self.election.as_ref().filter(|_| self.is_member()) else { return };
        let (Some(leader), term) = (election.leader(), election.ballot().term) else { return };
        if self.told == Some((leader, term)) || cx.peers.find(&leader).is_none() {
            return;
        }
        self.told = Some((leader, term));
        let proof = election.proof().map(tertulia_core::ballot::Certificate::encode);
        cx.out.leader(leader, term, proof.unwrap_or_default());
    }
}

/// Sends a message once.
pub(super) fn send(cx: &mut Ctx<'_>, to: Peer, msg: &Msg) {
    cx.out.trace(msg.name(), to, true);
    cx.out.send(to, msg.encode());
}
