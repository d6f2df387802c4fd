//! Whom to be linked to: everybody, or the leader alone.
//!
//! In a star a member without a leader wants links to everybody, for only so can it find the next one; once it has a
//! leader again it lets go of the others.

use core::time::Duration;
use std::collections::BTreeSet;

use tertulia_core::id::Peer;
use tertulia_core::topology::Ctx;

use super::config::Routing;
use super::state::{Phase, Star};

/// How long a link that is not needed any more is kept: leaders may change again.
const LINGER: Duration = Duration::from_secs(3);

impl Star {
    /// Brings the wanted links in line with what is needed.
    pub(super) fn keep_links(&mut self, cx: &mut Ctx<'_>) {
        if matches!(self.phase, Phase::Leaving(_) | Phase::Gone | Phase::Outside) {
            return; // On the way out no links are made or let go.
        }
        let needed = self.needed(cx);
        for &peer in &needed {
            if self.wanted.insert(peer, None).is_none() {
                cx.out.want(peer);
            }
        }
        self.release_others(cx, &needed);
    }

    fn needed(&mut self, cx: &mut Ctx<'_>) -> BTreeSet<Peer> {
        let leader = self.linked_leader(cx);
        if leader.is_some() || self.leads() {
            self.anchor = None;
        }
        let mut needed = BTreeSet::new();
        if let Phase::Joining(joining) = &self.phase {
            needed.extend(joining.asked(cx.peers));
        } else if let (Routing::Leader, Some(leader)) = (self.routing, leader) {
            needed.insert(leader);
        } else {
            needed.extend(cx.peers.live().map(|(peer, _)| peer));
            needed.extend(self.anchor);
        }
        if leader.is_none() {
            needed.extend(self.strangers(cx));
        }
        needed.remove(&Peer::ME);
        needed
    }

    /// Lets go of links not needed: of those that are gone at once, of the living after a while.
    fn release_others(&mut self, cx: &mut Ctx<'_>, needed: &BTreeSet<Peer>) {
        let (now, linked, mut next) = (cx.now, &self.linked, None);
        self.wanted.retain(|peer, until| {
            if needed.contains(peer) {
                return true;
            }
            let at = *until.get_or_insert(now + LINGER);
            if linked.contains(peer) && cx.peers.get(*peer).is_live() && at > now {
                next = tertulia_core::time::earliest(next, Some(at));
                return true;
            }
            cx.out.release(*peer);
            false
        });
        if let Some(at) = next {
            self.look_at(at);
        }
    }
}
