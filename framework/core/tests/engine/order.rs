//! One order for all: what waits for its turn, and what holds nothing back.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_types, reason = "how a test speaks to the topology that it gave away")]

use std::sync::{Arc, Mutex};

use tertulia_core::config::EngineConfig;
use tertulia_core::engine::api::Input;
use tertulia_core::id::{Incarnation, PeerId};
use tertulia_core::peers::PeerTable;
use tertulia_core::time::Instant;
use tertulia_core::topology::{Ctx, Input as TopoInput, Needs, Order, Topology, View};
use tertulia_core::units::Size;

use crate::net::{FullMesh, Net, id_of};
use crate::{ms, secs};

/// Streams, each up to a number, that come next.
type Steps = Arc<Mutex<Vec<(PeerId, Incarnation, u64)>>>;

/// A full mesh that hands over in the order that a test says.
#[derive(Clone)]
struct Ordered(FullMesh, Steps);

impl Topology for Ordered {
    fn kind(&self) -> &'static str {
        "test-ordered"
    }
    fn needs(&self) -> Needs {
        self.0.needs()
    }
    fn on_input(&mut self, cx: &mut Ctx<'_>, input: TopoInput<'_>) {
        self.0.on_input(cx, input);
    }
    fn next_deadline(&self) -> Option<Instant> {
        (!self.1.lock().unwrap().is_empty()).then_some(Instant::ZERO)
    }
    fn on_deadline(&mut self, cx: &mut Ctx<'_>) {
        cx.out.deliver(std::mem::take(&mut self.1.lock().unwrap()));
    }
    fn view(&self, peers: &PeerTable) -> View {
        self.0.view(peers)
    }
    fn order(&self) -> Order {
        Order::Held
    }
}

/// Three members; the third, `HELD`, is told what comes next by the test.
fn group(config: EngineConfig) -> (Net, Steps) {
    let (mut net, steps) = (Net::group(2), Steps::default());
    net.add_as(Box::new(Ordered(FullMesh::default(), steps.clone())), config);
    net.input(HELD, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    (net, steps)
}

const HELD: usize = 2;

fn tell(steps: &Steps, of: usize, runs: impl IntoIterator<Item = u64>, number: u64) {
    steps.lock().unwrap().extend(runs.into_iter().map(|run| (id_of(of), Incarnation(run), number)));
}

/// More runs of one member than are kept: those before hold nothing back.
#[test]
fn runs_that_are_not_kept_any_more_hold_nothing_back() {
    let (mut net, steps) = group(EngineConfig::default());
    for run in 1..=10 {
        if run > 1 {
            net.restart(1, run);
            net.input(1, Input::Join(vec!["test://0".into()]));
            net.run(ms(500));
        }
        net.say(1, None, &format!("run {run}"));
        net.run(ms(200));
    }
    net.say(0, None, "go on");
    net.run(ms(200));
    assert!(net.nodes[HELD].got.is_empty(), "all waits for its turn");
    tell(&steps, 1, 1..=10, 1);
    tell(&steps, 0, [1], 1);
    net.run(ms(200));
    assert_eq!(net.texts(HELD, 0), ["go on"]);
    assert_eq!(net.texts(HELD, 1).len(), 10, "what was here of them comes first");
}

/// Somebody whom the others have forgotten is not waited for.
#[test]
fn a_stranger_holds_nothing_back() {
    let (mut net, steps) = group(EngineConfig::default());
    tell(&steps, 77, [1, 2, 3], 1);
    tell(&steps, 0, [1], 1);
    net.say(0, None, "go on");
    net.run(ms(200));
    assert_eq!(net.texts(HELD, 0), ["go on"]);
}

/// However many parcels do not come, they are waited for once; late, they are handed over as they come.
#[test]
fn what_does_not_come_is_waited_for_once() {
    let (mut net, steps) = group(EngineConfig::default());
    tell(&steps, 1, [50, 51, 52], 1);
    tell(&steps, 0, [1], 1);
    net.say(0, None, "go on");
    net.run(secs(14));
    assert!(net.nodes[HELD].got.is_empty());
    net.run(secs(2));
    assert_eq!(net.texts(HELD, 0), ["go on"]);
    net.restart(1, 50);
    net.input(1, Input::Join(vec!["test://0".into()]));
    net.run(ms(500));
    net.say(1, None, "late");
    net.run(ms(200));
    assert_eq!(net.texts(HELD, 1), ["late"]);
}

/// A newcomer does not wait for what everybody has dropped.
#[test]
fn what_nobody_keeps_holds_nothing_back() {
    let mut config = EngineConfig::default();
    config.history.keep = 0;
    let (mut net, steps) = (Net::new(), Steps::default());
    net.add_with(config.clone());
    net.add_with(config.clone());
    net.input(0, Input::Found);
    net.input(1, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    net.say(1, None, "long ago");
    net.run(secs(1));
    net.say(0, None, "since then");
    net.run(secs(1));
    net.add_as(Box::new(Ordered(FullMesh::default(), steps.clone())), config);
    net.input(HELD, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    tell(&steps, 1, [1], 1);
    tell(&steps, 0, [1], 2);
    net.say(0, None, "go on");
    net.run(ms(200));
    assert_eq!(net.texts(HELD, 0), ["since then", "go on"]);
}

/// What waits for its turn is bounded in bytes; no parcel is lost by that, and none goes before its turn.
#[test]
fn what_waits_is_bounded_in_bytes() {
    const PARCELS: u64 = 1000;
    let mut config = EngineConfig::default();
    config.limits.ahead = Size::kib(16);
    let (mut net, steps) = group(config);
    let text = "x".repeat(1000);
    for _ in 0..PARCELS {
        net.say(0, None, &text);
        net.say(1, None, &text);
        net.run(ms(1));
    }
    net.run(secs(2));
    assert!(net.nodes[HELD].got.is_empty());
    let committed = net.nodes[HELD].engine.stats().committed;
    assert!(committed * 1000 < 200_000, "{committed} parcels are held");
    tell(&steps, 1, [1], PARCELS);
    tell(&steps, 0, [1], PARCELS);
    net.run(secs(8));
    let got: Vec<PeerId> = net.nodes[HELD].got.iter().map(|g| g.0).collect();
    let want = [1, 0].map(|n| vec![id_of(n); PARCELS as usize]).concat();
    assert_eq!(got.len(), want.len());
    assert!(got == want, "in its order");
}
