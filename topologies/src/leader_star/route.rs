//! Where parcels go: from member to member, or through the leader.

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::topology::{Ctx, Novelty, Routed};

use super::config::Routing;
use super::state::{Phase, Star};

impl Star {
    /// A parcel wants to travel on.
    pub(super) fn route(&mut self, cx: &mut Ctx<'_>, parcel: Routed, from: Option<Peer>, novelty: Novelty) {
        let passes = self.is_member() || matches!(self.phase, Phase::Gone);
        if novelty == Novelty::Duplicate || !passes {
            return;
        }
        match (parcel.to, self.routing) {
            (Some(to), _) => self.route_direct(cx, to, from),
            (None, Routing::Direct) if from.is_none() => self.send_to_all(cx),
            // Everybody gets it from its origin; what a broken link keeps back is pulled from whoever has it.
            (None, Routing::Direct) => {}
            (None, Routing::Leader) if self.leads() => self.send_to_all(cx),
            (None, Routing::Leader) => match self.linked_leader(cx) {
                Some(leader) => cx.out.eager(leader),
                None if from.is_none() => self.send_to_all(cx),
                None => {}
            },
        }
    }

    fn send_to_all(&mut self, cx: &mut Ctx<'_>) {
        let routes = self.routes.get_or_insert_with(|| {
            let live = |p: &Peer| cx.peers.get(*p).is_live();
            self.linked.iter().copied().filter(live).collect()
        });
        routes.iter().for_each(|&peer| cx.out.eager(peer));
    }

    /// A parcel for one member: straight to it, else through the leader; with neither, by whoever may be linked to it.
    fn route_direct(&mut self, cx: &mut Ctx<'_>, to: PeerId, from: Option<Peer>) {
        if to == cx.me() {
            return;
        }
        if let Some(peer) = cx.peers.find(&to).filter(|p| self.linked.contains(p)) {
            cx.out.eager(peer);
        } else if from.is_none() {
            match self.linked_leader(cx).filter(|_| self.routing == Routing::Leader) {
                Some(leader) => cx.out.eager(leader),
                None => self.send_to_all(cx),
            }
        }
    }
}
