//! Looking for neighbours: one is dialled, asked, and takes this node in or not.

use core::time::Duration;
use std::collections::BTreeMap;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::State;
use tertulia_core::rng::NodeRng;
use tertulia_core::time::Instant;
use tertulia_core::topology::Ctx;

use super::messages::{Msg, Need, Place};
use super::state::{Mesh, send};

/// The first wait before a `NEIGHBOUR` is sent again; it doubles this often.
const RETRY: (Duration, u32) = (Duration::from_millis(250), 3);
/// After this nobody is asked any longer.
const GIVE_UP: Duration = Duration::from_secs(3);
/// Who said no, or did not answer, is not asked again for this long.
const REST: Duration = Duration::from_secs(20);
/// Such members remembered at most.
const REFUSALS_MAX: usize = 256;
/// Members asked one after another for a place that has become free.
const TRIES: u8 = 8;
/// Whoever has fewer neighbours than this is refused by nobody. The paper has one here; but whoever hangs on a single
/// neighbour is cut off when that one dies.
const FEW: usize = 2;
/// The longest wait before one of a group just met is asked: until it has seen that too.
const MEETING: Duration = Duration::from_secs(2);

/// A member that is asked.
#[derive(Clone, Copy, Debug)]
struct Asked {
    nonce: u64,
    need: Need,
    tries: u32,
    at: Instant,
    until: Instant,
}

/// Whom this node asks to be a neighbour.
#[derive(Clone, Debug, Default)]
pub(super) struct Seeking {
    asked: BTreeMap<PeerId, Asked>,
    /// Who is not asked again until then; true: however great the need.
    refused: BTreeMap<PeerId, (bool, Instant)>,
    /// Members of a group just met, and when they are asked.
    meeting: BTreeMap<PeerId, Instant>,
    /// How many more are asked for the places that are free.
    tries: u8,
}

impl Seeking {
    /// When something is to be done.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let asked = self.asked.values().map(|a| a.at.min(a.until));
        asked.chain(self.meeting.values().copied()).min()
    }

    pub(super) fn asks(&self, id: &PeerId) -> bool {
        self.asked.contains_key(id)
    }

    /// Members asked who will make room.
    fn urgent(&self) -> usize {
        self.asked.values().filter(|asked| asked.need == Need::High).count()
    }

    /// Nobody with this id is asked any longer.
    pub(super) fn forget(&mut self, id: &PeerId) {
        self.asked.remove(id);
        self.meeting.remove(id);
    }

    /// A place has become free.
    pub(super) fn encourage(&mut self) {
        self.tries = TRIES;
    }

    /// One more may be asked.
    pub(super) fn hope(&mut self) {
        self.tries = self.tries.max(1);
    }

    /// Somebody is gone: those that were full may have room.
    pub(super) fn reconsider(&mut self) {
        self.refused.retain(|_, (out_of_reach, _)| *out_of_reach);
        self.hope();
    }

    /// Somebody who has just come into sight may be asked again.
    pub(super) fn pardon(&mut self, id: &PeerId) {
        self.refused.remove(id);
    }

    /// Somebody said no, or would; to any need if it is `out_of_reach`.
    fn note_refusal(&mut self, id: PeerId, out_of_reach: bool, now: Instant) {
        self.refused.retain(|_, (_, until)| *until > now);
        if self.refused.len() < REFUSALS_MAX {
            self.refused.insert(id, (out_of_reach, now + REST));
        }
    }

    fn rests(&self, id: &PeerId, need: Need, now: Instant) -> bool {
        let still =
            |(out_of_reach, until): &(bool, Instant)| *until > now && (*out_of_reach || need != Need::High);
        self.refused.get(id).is_some_and(still)
    }
}

impl Mesh {
    /// Asks for as many neighbours as are missing.
    pub(super) fn seek(&mut self, cx: &mut Ctx<'_>) {
        if !self.is_member() {
            return;
        }
        while self.active.len() + self.seeking.asked.len() < self.degree() {
            let few = self.active.len() < FEW && self.seeking.urgent() < FEW;
            let need = if few { Need::High } else { Need::Low };
            if self.seeking.tries == 0 && need == Need::Low {
                return;
            }
            let Some(place) = self.candidate(cx, need) else { return };
            self.seeking.tries = self.seeking.tries.saturating_sub(1);
            self.ask_place(cx, place, need);
        }
    }

    /// Somebody to ask: of those remembered, else of the roster.
    fn candidate(&mut self, cx: &mut Ctx<'_>, need: Need) -> Option<Place> {
        let (active, seeking, peers, now) = (&self.active, &self.seeking, cx.peers, cx.now);
        let free = |id: &PeerId| {
            let known = peers.find(id);
            let gone = known.is_some_and(|p| matches!(peers.get(p).state, State::Dead | State::Left));
            !gone
                && !known.is_some_and(|p| active.contains(p))
                && !seeking.asks(id)
                && !seeking.rests(id, need, now)
        };
        if let Some(place) = self.shuffles.passive.pick(cx.rng, &free) {
            return Some(place);
        }
        let live = self.live.iter().copied().filter(|&p| free(&peers.id(p)));
        let peer = pick_one(cx.rng, live)?;
        Some(Place { id: peers.id(peer), addrs: Vec::new() })
    }

    /// Asks a member that the engine knows.
    pub(super) fn ask_neighbour(&mut self, cx: &mut Ctx<'_>, peer: Peer, need: Need) {
        self.ask_place(cx, Place { id: cx.peers.id(peer), addrs: Vec::new() }, need);
    }

    /// Asks somebody, who is dialled first if need be.
    pub(super) fn ask_place(&mut self, cx: &mut Ctx<'_>, place: Place, need: Need) {
        if place.id == cx.me() || self.seeking.asks(&place.id) || self.seeking.asked.len() > self.degree() {
            return;
        }
        let known = cx.peers.find(&place.id);
        if known.is_some_and(|peer| self.active.contains(peer)) {
            return;
        }
        if known.is_none_or(|peer| cx.peers.get(peer).addrs.is_empty()) && !place.addrs.is_empty() {
            cx.out.learn(place.id, place.addrs);
        }
        let (nonce, now) = (cx.rng.next_u64(), cx.now);
        // The engine knows it after this call; then it is dialled.
        self.seeking.asked.insert(place.id, Asked { nonce, need, tries: 0, at: now, until: now + GIVE_UP });
        if known.is_some() {
            self.press(cx);
        }
    }

    /// One of a group that was just met will be asked.
    pub(super) fn meet(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        let at = cx.now + MEETING.mul_f64(0.25 + 0.75 * cx.rng.unit());
        if self.seeking.meeting.len() <= self.degree() {
            self.seeking.meeting.insert(cx.peers.id(peer), at);
        }
    }

    /// Goes on with everybody who is asked: dials, asks again, gives up.
    pub(super) fn press(&mut self, cx: &mut Ctx<'_>) {
        let now = cx.now;
        let due: Vec<PeerId> =
            self.seeking.meeting.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.seeking.meeting.remove(&id);
            if !self.seeking.rests(&id, Need::Reunion, now) {
                self.ask_place(cx, Place { id, addrs: Vec::new() }, Need::Reunion);
            }
        }
        let due = |a: &Asked| a.at <= now || a.until <= now;
        let ids: Vec<PeerId> = self.seeking.asked.iter().filter(|(_, a)| due(a)).map(|(id, _)| *id).collect();
        for id in ids {
            self.press_one(cx, id);
        }
    }

    fn press_one(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let Some(asked) = self.seeking.asked.get_mut(&id) else { return };
        let peer = cx.peers.find(&id);
        if asked.until <= cx.now {
            self.shuffles.passive.remove(&id);
            return self.refused_by(cx, id, true);
        }
        let linked = peer.is_some_and(|peer| self.linked.contains(&peer));
        let wait = cx.rng.jitter(RETRY.0 * (1 << asked.tries.min(RETRY.1)), 0.2);
        asked.at = cx.now + wait;
        let (nonce, need) = (asked.nonce, asked.need);
        asked.tries += u32::from(linked);
        let Some(peer) = peer else { return };
        self.tend(cx, peer);
        if linked {
            send(cx, peer, &Msg::Neighbour { nonce, need });
        }
    }

    /// A member that is asked has a link now: the question goes out at once.
    pub(super) fn press_linked(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        let id = cx.peers.id(peer);
        if let Some(asked) = self.seeking.asked.get_mut(&id) {
            (asked.at, asked.until) = (cx.now, cx.now + GIVE_UP);
            self.press_one(cx, id);
        }
    }

    /// Somebody asks this node.
    pub(super) fn on_neighbour(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, need: Need) {
        let room = self.active.len() < self.degree();
        let wanted = match need {
            Need::Low => room,
            Need::High => true,
            Need::Reunion => room || self.active.has_met(from, cx.now),
        };
        let crossing = self.seeking.asks(&cx.peers.id(from));
        let yes = self.may_be_neighbour(cx, from) && (self.active.contains(from) || wanted || crossing);
        if yes {
            self.take_in(cx, from);
        } else {
            let id = cx.peers.id(from);
            self.seeking.note_refusal(id, false, cx.now);
        }
        send(cx, from, &Msg::NeighbourAnswer { nonce, yes });
    }

    /// Somebody answers.
    pub(super) fn on_answer(&mut self, cx: &mut Ctx<'_>, from: Peer, nonce: u64, yes: bool) {
        let id = cx.peers.id(from);
        let Some(asked) = self.seeking.asked.get(&id).filter(|asked| asked.nonce == nonce) else { return };
        let high = asked.need == Need::High;
        if yes && self.may_be_neighbour(cx, from) {
            self.take_in(cx, from);
        } else {
            self.refused_by(cx, id, high);
        }
    }

    fn refused_by(&mut self, cx: &mut Ctx<'_>, id: PeerId, out_of_reach: bool) {
        self.seeking.forget(&id);
        self.seeking.note_refusal(id, out_of_reach, cx.now);
        cx.peers.find(&id).into_iter().for_each(|peer| self.tend(cx, peer));
        self.seek(cx);
    }
}

/// One of several at random.
pub(super) fn pick_one<T: Copy>(rng: &mut NodeRng, all: impl Iterator<Item = T>) -> Option<T> {
    let all: Vec<T> = all.collect();
    rng.pick(&all).copied()
}
