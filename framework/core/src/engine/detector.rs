//! The failure detector: one for every topology.
//!
//! A neighbour that was silent for `detector.interval` is probed; without an answer others are asked to probe it;
//! without an answer to them either it is suspected, and declared dead unless it refutes (SWIM, Das et al. 2002). Any
//! frame counts as a sign of life. A node that notices that its own clock jumped (it was frozen, or starved) takes
//! itself for the sick one and gives everybody new time (Lifeguard, Dadgar et al. 2018).

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;

use super::Engine;
use super::dial::Unreached;
use super::roster::Forged;
use crate::frame::FrameKind;
use crate::id::{Peer, PeerId};
use crate::peers::State;
use crate::time::{Instant, earliest};
use crate::wire::{Reader, Writer};

const PING: u8 = 1;
const PONG: u8 = 2;
const ASK: u8 = 3;
const ALIVE: u8 = 4;
/// Dials in a row that fail before a member without a link is suspected.
const TRIES: u32 = 3;
/// For how long a refutation outweighs failing dials.
const DOUBT: Duration = Duration::from_secs(60);
/// Probes on behalf of others that are remembered.
const ERRANDS: usize = 64;

/// State of the detector beside that of each link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Detector {
    /// Somebody asked whether a target lives: (who asked, target, nonce).
    errands: VecDeque<(Peer, Peer, u64)>,
}

fn frame(code: u8, nonce: u64, target: Option<PeerId>) -> Bytes {
    let mut w = Writer::new();
    w.u8(code).u64(nonce);
    if let Some(id) = target {
        w.raw(&id.0);
    }
    w.finish()
}

impl Engine {
    pub(crate) fn next_probe(&self) -> Option<Instant> {
        let interval = self.base.config.detector.interval.0;
        let links = self.base.links.iter();
        links
            .filter_map(|l| {
                earliest(l.probing.deadline, (l.probing.deadline.is_none()).then_some(l.heard + interval))
            })
            .min()
    }

    /// Woken so late that this node must have slept: nobody else is to blame for the silence.
    pub(crate) fn check_clock(&mut self, due: Instant) {
        let now = self.base.now;
        let late = now.since(due);
        if late < self.base.config.detector.timeout.0 {
            return;
        }
        self.base.links.for_each(|l| {
            l.heard = now;
            l.probing.deadline = None;
            l.probing.sent = None;
            l.sync.timed = None;
        });
        self.roster.postpone(late);
    }

    pub(crate) fn on_probe_deadline(&mut self) {
        let now = self.base.now;
        let detector = self.base.config.detector.clone();
        let mut silent = Vec::new();
        let mut overdue = Vec::new();
        self.base.links.for_each(|l| match l.probing.deadline {
            Some(at) if at <= now => overdue.push((l.peer, l.probing.indirect)),
            None if l.heard + detector.interval.0 <= now => silent.push(l.peer),
            _ => {}
        });
        for peer in silent {
            self.ping(peer);
        }
        for (peer, indirect) in overdue {
            if indirect {
                self.no_answer(peer);
            } else {
                self.ask_others(peer, detector.indirect);
            }
        }
    }

    fn ping(&mut self, peer: Peer) {
        let now = self.base.now;
        let least = self.base.config.detector.timeout.0;
        let nonce = self.base.rng.next_u64();
        if let Some(l) = self.base.links.get_mut(peer) {
            l.probing.nonce = nonce;
            l.probing.sent = Some(now);
            l.probing.indirect = false;
            l.probing.deadline = Some(now + l.rtt.timeout(least));
        }
        self.base.control(peer, FrameKind::Probe, frame(PING, nonce, None));
    }

    fn ask_others(&mut self, peer: Peer, most: u8) {
        let now = self.base.now;
        let target = self.base.peers.id(peer);
        let mut helpers: Vec<Peer> = self.base.links.up().iter().copied().filter(|&p| p != peer).collect();
        self.base.rng.shuffle(&mut helpers);
        helpers.truncate(usize::from(most));
        let mut nonce = 0;
        let least = self.base.config.detector.timeout.0;
        if let Some(l) = self.base.links.get_mut(peer) {
            nonce = l.probing.nonce;
            l.probing.indirect = true;
            l.probing.deadline = Some(now + l.rtt.timeout(least));
        }
        if helpers.is_empty() {
            self.no_answer(peer);
            return;
        }
        for helper in helpers {
            self.base.control(helper, FrameKind::Probe, frame(ASK, nonce, Some(target)));
        }
        self.base.control(peer, FrameKind::Probe, frame(PING, nonce, None));
    }

    fn no_answer(&mut self, peer: Peer) {
        if let Some(l) = self.base.links.get_mut(peer) {
            l.probing.deadline = None;
            l.probing.indirect = false;
            // The next probe follows after another interval.
            l.probing.sent = None;
        }
        if self.base.peers.get(peer).state == State::Unknown || !self.base.ready {
            self.base.close(peer, super::api::CloseReason::Dead);
            return;
        }
        self.suspect(peer, "no answer");
        self.ping(peer);
    }

    /// Suspects a peer. Who is no member tells nobody, so that nobody could refute: it suspects nobody.
    fn suspect(&mut self, peer: Peer, reason: &'static str) {
        if self.base.ready {
            self.roster.suspect(&mut self.base, peer, reason);
        }
    }

    /// Something arrived from a neighbour: it lives.
    pub(crate) fn heard_from(&mut self, peer: Peer) {
        let now = self.base.now;
        if let Some(l) = self.base.links.get_mut(peer) {
            l.heard = now;
            l.probing.deadline = None;
            l.probing.indirect = false;
        }
    }

    pub(crate) fn on_probe(&mut self, from: Peer, body: &Bytes) -> Result<(), Forged> {
        let malformed = |_| Forged("malformed probe");
        let mut r = Reader::new(body);
        let (code, nonce) = (r.u8().map_err(malformed)?, r.u64().map_err(malformed)?);
        let target = if code == ASK || code == ALIVE { Some(r.peer_id().map_err(malformed)?) } else { None };
        r.end().map_err(malformed)?;
        let target = target.and_then(|id| self.base.peers.find(&id));
        match (code, target) {
            (PING, _) => self.base.control(from, FrameKind::Probe, frame(PONG, nonce, None)),
            (PONG, _) => self.on_pong(from, nonce),
            (ASK, Some(target)) => self.run_errand(from, target, nonce),
            (ALIVE, Some(target)) => {
                if let Some(l) = self.base.links.get_mut(target)
                    && l.probing.nonce == nonce
                {
                    // It lives, though not for us: ask again later instead of suspecting.
                    l.probing.deadline = None;
                    l.probing.indirect = false;
                    l.heard = self.base.now;
                }
            }
            (ASK | ALIVE, None) => {}
            _ => return Err(Forged("malformed probe")),
        }
        Ok(())
    }

    fn on_pong(&mut self, from: Peer, nonce: u64) {
        let now = self.base.now;
        if let Some(l) = self.base.links.get_mut(from)
            && l.probing.nonce == nonce
            && let Some(sent) = l.probing.sent.take()
        {
            l.rtt.sample(now.since(sent));
            let rtt = l.rtt.smoothed();
            self.base.peers.get_mut(from).rtt = rtt;
        }
        let id = self.base.peers.id(from);
        let errands: Vec<_> = self.detector.errands.iter().copied().filter(|e| e.1 == from).collect();
        self.detector.errands.retain(|e| e.1 != from);
        for (asker, _, nonce) in errands {
            self.base.control(asker, FrameKind::Probe, frame(ALIVE, nonce, Some(id)));
        }
    }

    fn run_errand(&mut self, asker: Peer, target: Peer, nonce: u64) {
        let Some(link) = self.base.links.get(target) else { return };
        let id = self.base.peers.id(target);
        if self.base.now.since(link.heard) < self.base.config.detector.timeout.0 / 2 {
            self.base.control(asker, FrameKind::Probe, frame(ALIVE, nonce, Some(id)));
            return;
        }
        if self.detector.errands.len() == ERRANDS {
            self.detector.errands.pop_front();
        }
        self.detector.errands.push_back((asker, target, nonce));
        let own = self.base.links.get(target).map_or(0, |l| l.probing.nonce);
        let fresh = if own == 0 { self.base.rng.next_u64() } else { own };
        self.base.control(target, FrameKind::Probe, frame(PING, fresh, None));
    }

    /// A link went down without a goodbye: the other end may have died with it.
    pub(crate) fn lost_link(&mut self, peer: Peer) {
        if self.base.peers.get(peer).is_live() {
            self.suspect(peer, "connection closed");
        }
    }

    /// A member without a link cannot be dialled: there is nobody, or no way there. No answer for as long as neighbours
    /// may be silent says as much as many quick failures. One that has lately refuted is reached by others, so only its
    /// own silence counts.
    pub(crate) fn not_reached(&mut self, dial: &Unreached) {
        let Unreached { peer, nobody, tries, took } = *dial;
        if self.base.links.get(peer).is_some() {
            return;
        }
        let detector = &self.base.config.detector;
        let failing = tries >= TRIES || took >= detector.interval.0 + detector.timeout.0 * 2;
        let refuted = self.roster.get(peer).and_then(|m| m.refuted);
        let doubted = refuted.is_some_and(|at| self.base.now.since(at) < DOUBT);
        if failing && !doubted {
            self.suspect(peer, "cannot be reached");
        }
        if nobody && self.base.peers.get(peer).state == State::Suspect {
            let verdict = self.base.now + self.base.config.detector.suspicion_closed.0;
            self.roster.hasten(peer, verdict);
        }
    }
}
