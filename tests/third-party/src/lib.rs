//! `flood-star`: everybody links to the live member with the lowest id, the hub, which passes on to all what it gets
//! from one. When the hub is gone the next lowest is the hub: nothing is elected, since all have the same roster.
//!
//! Dialling, deduping, ordering, repairing and finding out who died are the engine's business; this is all there is.

use serde::{Deserialize, Serialize};
use tertulia_core::config::Scope;
use tertulia_core::id::Peer;
use tertulia_core::peers::PeerTable;
use tertulia_core::time::Instant;
use tertulia_core::topology::{Ctx, Input, Needs, Topology, View};

/// The name that a profile chooses this topology by.
pub const KIND: &str = "flood-star";

/// What stands beside `kind` in the profile's table: nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// A member's part of the star.
pub fn build(_config: &Config) -> Box<dyn Topology> {
    Box::new(Star { hub: Peer::ME })
}

#[derive(Clone)]
struct Star {
    /// Whom this member links to; itself when it is the hub.
    hub: Peer,
}

impl Star {
    fn look_for_the_hub(&mut self, cx: &mut Ctx<'_>) {
        let hub = lowest(cx.peers);
        if hub != self.hub {
            cx.out.release(self.hub);
            cx.out.want(hub);
            self.hub = hub;
        }
    }
}

fn lowest(peers: &PeerTable) -> Peer {
    peers.live().next().map_or(Peer::ME, |(peer, _)| peer)
}

impl Topology for Star {
    fn kind(&self) -> &'static str {
        KIND
    }
    fn needs(&self) -> Needs {
        Needs { roster: Scope::Group, reliable: false }
    }
    fn on_input(&mut self, cx: &mut Ctx<'_>, input: Input<'_>) {
        match input {
            Input::Join { .. } => cx.out.joined(),
            Input::Leave => cx.out.left(),
            Input::Route { .. } => {
                let linked = cx.peers.live().filter(|(_, entry)| entry.linked);
                linked.for_each(|(peer, _)| cx.out.eager(peer));
            }
            Input::Forgotten { peer } if peer == self.hub => self.hub = Peer::ME,
            _ => self.look_for_the_hub(cx),
        }
    }
    fn next_deadline(&self) -> Option<Instant> {
        None
    }
    fn on_deadline(&mut self, _cx: &mut Ctx<'_>) {}
    fn view(&self, peers: &PeerTable) -> View {
        let hub = lowest(peers);
        let role = |peer| if peer == hub { "hub" } else { "leaf" };
        let nodes = peers.live().map(|(peer, _)| (peer, role(peer))).collect();
        let leaves = || peers.live().map(|(peer, _)| peer).filter(|&peer| peer != hub);
        let neighbours = if hub == Peer::ME { leaves().collect() } else { vec![hub] };
        let links = leaves().map(|leaf| (hub, leaf)).collect();
        View { kind: KIND, nodes, links, neighbours, leader: Some(hub), ..View::default() }
    }
}
