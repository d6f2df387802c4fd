//! The simplest topology that can pass: everybody linked to everybody. A yardstick for the suite itself.

use tertulia_core::config::Scope;
use tertulia_core::id::Peer;
use tertulia_core::peers::PeerTable;
use tertulia_core::time::Instant;
use tertulia_core::topology::{Ctx, Input, Needs, Novelty, Topology, View};

/// Wants a link to every live member and passes every new parcel to all of them.
#[derive(Clone, Debug, Default)]
pub struct FullMesh {
    wanted: Vec<Peer>,
}

impl FullMesh {
    fn want_all(&mut self, cx: &mut Ctx<'_>) {
        let live: Vec<Peer> = cx.peers.live().map(|(p, _)| p).filter(|&p| p != Peer::ME).collect();
        for &peer in live.iter().filter(|p| !self.wanted.contains(p)) {
            cx.out.want(peer);
        }
        for &peer in self.wanted.iter().filter(|p| !live.contains(p)) {
            cx.out.release(peer);
        }
        self.wanted = live;
    }
}

impl Topology for FullMesh {
    fn kind(&self) -> &'static str {
        "full-mesh"
    }

    fn needs(&self) -> Needs {
        Needs { roster: Scope::Group, reliable: false }
    }

    fn on_input(&mut self, cx: &mut Ctx<'_>, input: Input<'_>) {
        match input {
            Input::Join { .. } => cx.out.joined(),
            Input::Leave => cx.out.left(),
            Input::Member { .. } | Input::LinkUp { .. } => self.want_all(cx),
            Input::Route { novelty: Novelty::New, .. } => {
                for (peer, entry) in cx.peers.live() {
                    if entry.linked && peer != Peer::ME {
                        cx.out.eager(peer);
                    }
                }
            }
            Input::Forgotten { peer } => self.wanted.retain(|&p| p != peer),
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    fn on_deadline(&mut self, _cx: &mut Ctx<'_>) {}

    fn view(&self, peers: &PeerTable) -> View {
        let nodes = peers.live().map(|(p, _)| (p, "member")).collect();
        View { kind: "full-mesh", nodes, neighbours: self.wanted.clone(), ..View::default() }
    }
}
