//! Where parcels go: from their origin to everybody, or along the origin's tree.

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::topology::{Ctx, Novelty, Routed};

use super::config::Shape;
use super::messages::Msg;
use super::state::{Mesh, Phase, send};

impl Mesh {
    /// A parcel wants to travel on.
    pub(super) fn route(&mut self, cx: &mut Ctx<'_>, parcel: Routed, from: Option<Peer>, novelty: Novelty) {
        if !matches!(self.phase, Phase::Member | Phase::Gone) {
            return;
        }
        match (self.shape, parcel.to, from) {
            (_, Some(to), _) if novelty == Novelty::New => self.route_direct(cx, to, from),
            (Shape::Full, None, None) => self.near().for_each(|peer| cx.out.eager(peer)),
            (Shape::Full, None, Some(_)) if novelty == Novelty::New => self.announce_around(cx, parcel),
            (Shape::Pick(_) | Shape::Active(_), None, _) => {
                self.route_along_tree(cx, parcel.origin, from, novelty);
            }
            _ => {}
        }
    }

    fn route_along_tree(&mut self, cx: &mut Ctx<'_>, origin: Peer, from: Option<Peer>, novelty: Novelty) {
        match (novelty, from) {
            (Novelty::Duplicate, None) => return,
            (Novelty::Duplicate, Some(from)) => {
                if self.trees.came_again(origin, from) {
                    let origin = cx.peers.id(origin);
                    send(cx, from, &Msg::Prune { origin });
                }
                return;
            }
            (Novelty::New, Some(from)) => self.trees.came(origin, from),
            (Novelty::New, None) => {}
        }
        let is_lazy = self.trees.is_lazy(origin);
        for peer in self.ways() {
            if is_lazy(peer) {
                cx.out.lazy(peer);
            } else {
                cx.out.eager(peer);
            }
        }
    }

    /// A parcel for one member: straight to it, else from its origin to all neighbours. In a full mesh these have a
    /// link to it; in a sparse one everybody passes it on once, until it meets the recipient.
    fn route_direct(&mut self, cx: &mut Ctx<'_>, to: PeerId, from: Option<Peer>) {
        if to == cx.me() {
            return;
        }
        if let Some(peer) = cx.peers.find(&to).filter(|peer| self.linked.contains(peer)) {
            cx.out.eager(peer);
        } else if from.is_none() || self.shape != Shape::Full {
            self.ways().for_each(|peer| cx.out.eager(peer));
        }
    }

    /// A neighbour wants only to be told of an origin's parcels.
    pub(super) fn on_prune(&mut self, cx: &Ctx<'_>, from: Peer, origin: PeerId) {
        if let Some(origin) = cx.peers.find(&origin) {
            self.trees.prune(origin, from);
        }
    }
}
