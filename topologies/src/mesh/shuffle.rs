//! The passive view: members to replace neighbours with, kept fresh by random walks.
//!
//! A newcomer's `FORWARD_JOIN` goes from its contact to all of the contact's neighbours and on at random; where it ends,
//! it makes a neighbour, and half way it is remembered. Now and then a member sends some of those that it knows of for
//! a walk (`SHUFFLE`), and gets as many back from where the walk ends (`SHUFFLE_REPLY`, the same way back). The counts
//! are those of the paper.

use core::time::Duration;
use std::collections::VecDeque;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::rng::NodeRng;
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::config::Config;
use super::messages::{Msg, Need, PLACES_MAX, Place};
use super::seek::pick_one;
use super::state::{Mesh, send};
use crate::place::place;

/// Links that the walk of a newcomer crosses, and those left where it is remembered.
const ACTIVE_WALK: u8 = 6;
const PASSIVE_WALK: u8 = 3;
/// Links that a shuffle crosses.
const SHUFFLE_WALK: u8 = 6;
/// Neighbours, and others, that a shuffle names.
const OF_ACTIVE: usize = 3;
const OF_PASSIVE: usize = 4;
/// Walks whose way back is remembered at most.
const WALKS_MAX: usize = 64;

/// Members to replace neighbours with.
#[derive(Clone, Debug)]
pub(super) struct Passive {
    places: Vec<Place>,
    most: usize,
}

impl Passive {
    /// Remembers a member, instead of one of `sooner` or of any other when there are too many.
    fn add(&mut self, rng: &mut NodeRng, place: Place, sooner: &[PeerId]) {
        if let Some(known) = self.places.iter_mut().find(|p| p.id == place.id) {
            if !place.addrs.is_empty() {
                known.addrs = place.addrs;
            }
            return;
        }
        if self.places.len() >= self.most {
            let sent = self.places.iter().position(|p| sooner.contains(&p.id));
            let out = sent.unwrap_or_else(|| rng.below(self.places.len()));
            self.places.swap_remove(out);
        }
        self.places.push(place);
    }

    pub(super) fn remove(&mut self, id: &PeerId) {
        self.places.retain(|p| p.id != *id);
    }

    /// One at random of those that will do.
    pub(super) fn pick(&self, rng: &mut NodeRng, will_do: &dyn Fn(&PeerId) -> bool) -> Option<Place> {
        pick_one(rng, self.places.iter().filter(|p| will_do(&p.id))).cloned()
    }

    /// Some at random.
    fn sample(&self, rng: &mut NodeRng, n: usize) -> Vec<Place> {
        let mut all = self.places.clone();
        rng.shuffle(&mut all);
        all.truncate(n);
        all
    }
}

/// The passive view, and exchanges under way.
#[derive(Clone, Debug)]
pub(super) struct Shuffles {
    pub(super) passive: Passive,
    every: Duration,
    /// When to begin the next one.
    at: Option<Instant>,
    /// The last one of this node, and whom it named.
    own: Option<(u64, Vec<PeerId>)>,
    /// Walks of others, and from whom they came.
    walks: VecDeque<(u64, Peer)>,
    /// The newcomer's own walk is still to begin.
    arriving: bool,
}

impl Shuffles {
    pub(super) fn new(config: &Config) -> Self {
        let most = usize::from(config.passive);
        Shuffles {
            passive: Passive { places: Vec::new(), most },
            every: config.shuffle.0.max(Duration::from_millis(100)),
            at: None,
            own: None,
            walks: VecDeque::new(),
            arriving: false,
        }
    }

    /// When something is to be done.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.at
    }

    /// Nothing of a peer stays.
    pub(super) fn forget(&mut self, peer: Peer, id: &PeerId) {
        self.passive.remove(id);
        self.walks.retain(|(_, from)| *from != peer);
    }
}

impl Mesh {
    /// This node is a member and begins to take part; as a newcomer it says so.
    pub(super) fn begin_shuffles(&mut self, cx: &mut Ctx<'_>) {
        self.shuffles.at = Some(cx.now + cx.rng.jitter(self.shuffles.every, 0.5));
        self.shuffles.arriving = self.anchor.is_some();
        self.look_at(cx.now); // By then the engine has said where this node can be dialled.
    }

    /// The newcomer's walks begin at its contact.
    pub(super) fn arrive(&mut self, cx: &mut Ctx<'_>) {
        if std::mem::take(&mut self.shuffles.arriving)
            && let Some(contact) = self.anchor
        {
            let newcomer = place(cx.peers, Peer::ME);
            send(cx, contact, &Msg::ForwardJoin { ttl: ACTIVE_WALK, newcomer });
        }
    }

    /// Some members for a newcomer to know.
    pub(super) fn acquaintances(&self, cx: &mut Ctx<'_>) -> Vec<Place> {
        let mut places: Vec<Place> = self.active.iter().map(|peer| place(cx.peers, peer)).collect();
        places.extend(self.shuffles.passive.sample(cx.rng, PLACES_MAX));
        places.truncate(PLACES_MAX);
        places
    }

    /// A former neighbour may be one again.
    pub(super) fn remember(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        let place = place(cx.peers, peer);
        self.learn_of(cx, vec![place], &[]);
    }

    /// Remembers members that others named.
    pub(super) fn learn_of(&mut self, cx: &mut Ctx<'_>, places: Vec<Place>, sooner: &[PeerId]) {
        for place in places {
            let known = cx.peers.find(&place.id);
            if place.id != cx.me() && !known.is_some_and(|peer| self.active.contains(peer)) {
                self.shuffles.passive.add(cx.rng, place, sooner);
            }
        }
    }

    /// A neighbour other than `but`, at random.
    fn step(&self, cx: &mut Ctx<'_>, but: &[Peer]) -> Option<Peer> {
        let ways = self.active.iter().filter(|p| self.linked.contains(p) && !but.contains(p));
        pick_one(cx.rng, ways)
    }

    /// Somebody is new.
    pub(super) fn on_forward_join(&mut self, cx: &mut Ctx<'_>, from: Peer, ttl: u8, newcomer: Place) {
        if !self.is_member() || self.degree() == 0 || newcomer.id == cx.me() {
            return;
        }
        let ttl = ttl.min(ACTIVE_WALK);
        let new = cx.peers.find(&newcomer.id);
        if new == Some(from) {
            for peer in self.active.iter().filter(|&p| p != from).collect::<Vec<_>>() {
                send(cx, peer, &Msg::ForwardJoin { ttl: ttl.saturating_sub(1), newcomer: newcomer.clone() });
            }
            return;
        }
        let but: Vec<Peer> = std::iter::once(from).chain(new).collect();
        if ttl == PASSIVE_WALK {
            self.learn_of(cx, vec![newcomer.clone()], &[]);
        }
        match self.step(cx, &but).filter(|_| ttl > 0) {
            Some(next) => send(cx, next, &Msg::ForwardJoin { ttl: ttl - 1, newcomer }),
            None => self.ask_place(cx, newcomer, Need::Low),
        }
    }

    /// Begins an exchange when it is due, and looks whether neighbours are missing.
    pub(super) fn shuffle(&mut self, cx: &mut Ctx<'_>) {
        if self.shuffles.at.is_none_or(|at| at > cx.now) {
            return;
        }
        self.shuffles.at = Some(cx.now + cx.rng.jitter(self.shuffles.every, 0.3));
        self.seeking.hope();
        self.seek(cx);
        let Some(next) = self.step(cx, &[]) else { return };
        let mut near: Vec<Peer> = self.active.iter().filter(|&p| p != next).collect();
        cx.rng.shuffle(&mut near);
        near.truncate(OF_ACTIVE);
        let mut places: Vec<Place> = near.into_iter().map(|peer| place(cx.peers, peer)).collect();
        places.extend(self.shuffles.passive.sample(cx.rng, OF_PASSIVE));
        let nonce = cx.rng.next_u64();
        self.shuffles.own = Some((nonce, places.iter().map(|p| p.id).collect()));
        let origin = place(cx.peers, Peer::ME);
        send(cx, next, &Msg::Shuffle { nonce, ttl: SHUFFLE_WALK, origin, places });
    }

    /// Somebody's walk comes by, or ends here.
    pub(super) fn on_shuffle(
        &mut self,
        cx: &mut Ctx<'_>,
        from: Peer,
        (nonce, ttl): (u64, u8),
        origin: Place,
        places: Vec<Place>,
    ) {
        if !self.is_member() || self.degree() == 0 || origin.id == cx.me() {
            return;
        }
        let ttl = ttl.min(SHUFFLE_WALK).saturating_sub(1);
        let but: Vec<Peer> = std::iter::once(from).chain(cx.peers.find(&origin.id)).collect();
        if let Some(next) = self.step(cx, &but).filter(|_| ttl > 0) {
            if self.shuffles.walks.len() == WALKS_MAX {
                self.shuffles.walks.pop_front();
            }
            self.shuffles.walks.push_back((nonce, from));
            send(cx, next, &Msg::Shuffle { nonce, ttl, origin, places });
            return;
        }
        let answer = self.shuffles.passive.sample(cx.rng, places.len().max(1));
        let sent: Vec<PeerId> = answer.iter().map(|p| p.id).collect();
        send(cx, from, &Msg::ShuffleReply { nonce, places: answer });
        self.learn_of(cx, vec![origin], &sent);
        self.learn_of(cx, places, &sent);
    }

    /// The answer to a walk comes back.
    pub(super) fn on_shuffle_reply(&mut self, cx: &mut Ctx<'_>, nonce: u64, places: Vec<Place>) {
        if self.degree() == 0 {
            return;
        }
        if let Some((_, sent)) = self.shuffles.own.take_if(|(own, _)| *own == nonce) {
            self.learn_of(cx, places, &sent);
        } else if let Some(at) = self.shuffles.walks.iter().position(|(walk, _)| *walk == nonce)
            && let Some((_, back)) = self.shuffles.walks.remove(at)
        {
            send(cx, back, &Msg::ShuffleReply { nonce, places });
        }
    }
}
