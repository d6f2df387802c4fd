//! Many nodes: a tree of members that know only their neighbourhood.

use std::time::Duration;

use bytes::Bytes;
use tertulia_core::config::{EngineConfig, RosterConfig, Scope};
use tertulia_core::id::Peer;
use tertulia_core::peers::PeerTable;
use tertulia_core::time::Instant;
use tertulia_core::topology::{Ctx, Input, Needs, Novelty, Topology, View};
use tertulia_sim::network::{Latency, Network};
use tertulia_sim::oracle::Expect;
use tertulia_sim::{Sim, SimConfig};

/// Keeps a link to whom it came in through; every parcel goes over every link.
#[derive(Clone, Default)]
struct Tree {
    parent: Option<Peer>,
}

impl Topology for Tree {
    fn kind(&self) -> &'static str {
        "tree"
    }

    fn needs(&self) -> Needs {
        Needs { roster: Scope::View, reliable: false }
    }

    fn on_input(&mut self, cx: &mut Ctx<'_>, input: Input<'_>) {
        match input {
            Input::Join { contact, .. } => {
                self.parent = Some(contact);
                cx.out.want(contact);
                cx.out.joined();
            }
            Input::Leave => cx.out.left(),
            Input::Route { novelty: Novelty::New, .. } => {
                let linked = cx.peers.iter().filter(|(p, e)| e.linked && *p != Peer::ME);
                linked.for_each(|(p, _)| cx.out.eager(p));
            }
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    fn on_deadline(&mut self, _cx: &mut Ctx<'_>) {}

    fn view(&self, _peers: &PeerTable) -> View {
        View { kind: "tree", neighbours: self.parent.into_iter().collect(), ..View::default() }
    }
}

#[test]
fn a_tree_of_a_thousand() {
    const NODES: u32 = 1_000;
    let engine = EngineConfig {
        roster: RosterConfig { scope: Scope::View, ..RosterConfig::default() },
        ..EngineConfig::default()
    };
    let (min, max) = (Duration::from_millis(5), Duration::from_millis(50));
    let network = Network { latency: Latency::Pair { min, max, jitter: 0.1 }, ..Network::default() };
    let make = |_| -> Box<dyn Topology> { Box::new(Tree::default()) };
    let mut sim = Sim::new(SimConfig { engine, network, ..SimConfig::default() }, &make);
    sim.found();
    for n in 1..NODES {
        sim.join(&[(n - 1) / 4]);
        sim.run_for(Duration::from_millis(5));
    }
    assert!(sim.run_while(Duration::from_secs(1), Duration::from_secs(30), Sim::all_ready));
    for n in [0, NODES / 2, NODES - 1] {
        assert!(sim.publish(n, None, Bytes::from(vec![7; 100])).is_ok());
    }
    let everybody: Vec<u32> = sim.members().collect();
    let complete = |sim: &Sim<'_>| {
        sim.oracle().judge(sim.now(), &everybody, &Expect::default()).tally.delivered
            == 3 * (u64::from(NODES) - 1)
    };
    assert!(sim.run_while(Duration::from_millis(100), Duration::from_secs(10), complete));
    println!("{} events, {} queued, {}", sim.counters().events, sim.queued(), sim.counters());
}
