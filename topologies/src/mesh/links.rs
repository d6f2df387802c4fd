//! Which links a member wants: to everybody, or to those of its choice; and how it lets go of the others.

use core::time::Duration;

use tertulia_core::id::Peer;
use tertulia_core::time::earliest;
use tertulia_core::topology::Ctx;

use super::config::{Planted, Shape};
use super::state::{Mesh, Phase};

/// How long a link that is not needed any more is kept, so that what replaces it carries before it goes.
const LINGER: Duration = Duration::from_secs(2);

impl Mesh {
    /// Brings what is wanted of a peer in line with what is needed.
    pub(super) fn tend(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        if peer == Peer::ME || matches!(self.phase, Phase::Gone) {
            return; // On the way out no links are made or let go.
        }
        if self.needs_link(cx, peer) {
            if self.wanted.insert(peer, None).is_none() {
                cx.out.want(peer);
            }
            return;
        }
        let Some(until) = self.wanted.get_mut(&peer) else { return };
        let at = *until.get_or_insert(cx.now + LINGER);
        if at > cx.now && self.linked.contains(&peer) && self.live.contains(&peer) {
            self.look_at(at);
        } else {
            self.wanted.remove(&peer);
            cx.out.release(peer);
        }
    }

    fn needs_link(&self, cx: &Ctx<'_>, peer: Peer) -> bool {
        match (&self.phase, self.shape) {
            (Phase::Joining(request), _) => request.contact == peer,
            _ if self.anchor == Some(peer) => true,
            (_, Shape::Full) => self.live.contains(&peer),
            (_, Shape::Pick(_)) => self.picks.contains(peer),
            (_, Shape::Active(_)) => self.active.contains(peer) || self.seeking.asks(&cx.peers.id(peer)),
        }
    }

    /// This node is a member: it chooses its neighbours from those that it knows.
    pub(super) fn begin_view(&mut self, cx: &mut Ctx<'_>) {
        self.live = cx.peers.live().map(|(peer, _)| peer).filter(|&peer| peer != Peer::ME).collect();
        let before: Vec<Peer> = self.wanted.keys().copied().collect();
        match self.shape {
            Shape::Full => {
                for peer in self.live.clone() {
                    self.expect_link(cx, peer);
                    self.tend(cx, peer);
                }
            }
            Shape::Pick(_) => self.refill(cx),
            Shape::Active(_) => {
                self.begin_shuffles(cx);
                self.anchor.into_iter().for_each(|contact| self.take_in(cx, contact));
                self.seeking.encourage();
            }
        }
        before.into_iter().for_each(|peer| self.tend(cx, peer));
    }

    /// A member came, went, or is in another state.
    pub(super) fn on_member(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        if peer == Peer::ME || !self.is_member() {
            return;
        }
        match (cx.peers.get(peer).is_live(), self.live.contains(&peer)) {
            (true, false) => {
                self.live.insert(peer);
                match self.shape {
                    Shape::Full => self.expect_link(cx, peer),
                    Shape::Pick(_) => self.on_arrival(cx, peer),
                    Shape::Active(_) => self.on_sight(cx, peer),
                }
            }
            (false, true) => self.on_departure(cx, peer),
            _ => return,
        }
        self.tend(cx, peer);
    }

    fn on_departure(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.live.remove(&peer);
        self.detours.gone(peer);
        if self.picks.remove(peer) && self.planted != Some(Planted::Unreplaced) {
            self.refill(cx);
        }
        self.seeking.forget(&cx.peers.id(peer));
        self.seeking.reconsider();
        self.let_go(cx, peer, false);
        self.seek(cx);
    }

    /// Looks at all links again.
    pub(super) fn look_around(&mut self, cx: &mut Ctx<'_>) {
        self.arrive(cx);
        self.replace_unreachable(cx);
        self.drop_unlinked(cx);
        self.seek(cx);
        self.drop_anchor(cx);
        for peer in self.wanted.keys().copied().collect::<Vec<_>>() {
            self.tend(cx, peer);
        }
        self.look = [self.look, self.picks.next_overdue(), self.active.next_overdue()]
            .into_iter()
            .fold(None, earliest);
    }

    /// The link to whom this node came in through is not needed once another holds it.
    fn drop_anchor(&mut self, cx: &mut Ctx<'_>) {
        let held = self.near().any(|peer| Some(peer) != self.anchor && self.wanted.contains_key(&peer));
        if held && let Some(anchor) = self.anchor.take() {
            self.tend(cx, anchor);
        }
    }

    pub(super) fn on_link_up(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.linked.insert(peer);
        self.trees.link_up(peer);
        self.picks.link_up(peer);
        self.active.link_up(peer);
        self.drop_anchor(cx);
        self.greet(cx, peer);
        self.press_linked(cx, peer);
    }

    pub(super) fn on_link_down(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.linked.remove(&peer);
        self.trees.link_down(peer);
        if self.is_member() && self.shape == Shape::Full && self.live.contains(&peer) {
            self.expect_link(cx, peer);
        }
        self.miss_pick(cx, peer);
        self.miss_neighbour(cx, peer);
        self.tend(cx, peer);
    }

    /// The handle will name another: nothing of the old one may stay.
    pub(super) fn on_forgotten(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.linked.remove(&peer);
        self.wanted.remove(&peer);
        self.anchor = self.anchor.filter(|&p| p != peer);
        self.forget_contact(peer);
        self.on_departure(cx, peer);
        self.forget_neighbour(peer);
        self.shuffles.forget(peer, &cx.peers.id(peer));
        self.trees.forget(peer);
    }
}
