//! What one member says of others is not taken for more than it is.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use tertulia_core::config::EngineConfig;
use tertulia_core::engine::api::{Event, Input};
use tertulia_core::frame::{Frame, FrameKind};
use tertulia_core::id::{Digest, Incarnation, PeerId};
use tertulia_core::message::{Draft, Room};
use tertulia_core::parcel::{Header, Parcel, Scope};
use tertulia_core::peers::PeerTable;
use tertulia_core::time::Instant;
use tertulia_core::topology::{Ctx, Input as TopoInput, Needs, Topology, View};
use tertulia_core::units::Size;
use tertulia_core::wire::Writer;

use super::net::{FullMesh, Net, TestAuth, id_of};
use super::{ms, secs};

/// A frame from one node to another, whatever its engine thinks of it.
fn inject(net: &mut Net, from: usize, to: usize, kind: FrameKind, body: Bytes) {
    let link = net.nodes[to].links.iter().find(|(_, end)| end.0 == from).map(|(link, _)| *link).unwrap();
    net.input(to, Input::Frame { link, frame: Frame::new(kind, body) });
}

fn announcement(origin: PeerId, run: u64, number: u64) -> Bytes {
    let mut w = Writer::new();
    w.raw(&origin.0).u64(run).u64(number);
    w.finish()
}

/// A parcel of one message, signed by its origin.
fn parcel(origin: PeerId, number: u64) -> Bytes {
    let header = Header {
        scope: Scope::Group,
        epoch: 0,
        origin,
        incarnation: Incarnation(1),
        number,
        first_seq: number,
        count: 1,
        prev: Digest::default(),
        before: (Incarnation(0), 0),
    };
    let mut draft = Draft::default();
    draft.push(&Room::default(), 0, 0, b"text");
    Parcel::sign(header, draft, &TestAuth(origin)).0.bytes().clone()
}

#[test]
fn nobody_is_heard_before_it_is_introduced() {
    let mut net = Net::group(2);
    net.add(1, "n2", false);
    net.input(2, Input::Join(vec!["test://0".into()]));
    net.run(ms(8));
    net.muted = (2, vec![FrameKind::Sync]);
    let joined = |net: &Net, n: usize| {
        net.nodes[n].events.iter().any(|(_, e)| matches!(e, Event::Joined(who) if who.peer == id_of(2)))
    };
    for _ in 0..200 {
        net.say(2, None, "hello");
        net.run(ms(1));
        for n in [0, 1] {
            assert!(net.texts(n, 2).is_empty() || joined(&net, n), "{n} hears a stranger at {:?}", net.now);
        }
    }
    net.muted.1.clear();
    net.run(secs(5));
    assert!(net.texts(0, 2).len() > 100 && net.texts(0, 2) == net.texts(1, 2));
}

#[test]
fn whom_nobody_introduces_is_heard_all_the_same() {
    let mut net = Net::group(3);
    inject(&mut net, 1, 0, FrameKind::Data, parcel(id_of(7), 1));
    net.run(ms(500));
    assert!(net.texts(0, 7).is_empty(), "its record may be on its way");
    net.run(secs(1));
    assert_eq!(net.texts(0, 7), ["text"]);
}

#[test]
fn made_up_runs_do_not_silence_a_member() {
    let mut net = Net::group(3);
    for (round, text) in ["one", "two", "three"].into_iter().enumerate() {
        for run in 0..6 {
            let body = announcement(id_of(2), 100 + 10 * round as u64 + run, 1);
            inject(&mut net, 1, 0, FrameKind::Announce, body);
        }
        net.say(2, None, text);
        net.run(secs(1));
    }
    assert_eq!(net.texts(0, 2), ["one", "two", "three"]);
}

#[test]
fn a_pull_over_a_hole_costs_what_is_behind_it() {
    let mut net = Net::group(3);
    let far = 1 << 60;
    inject(&mut net, 1, 0, FrameKind::Data, parcel(id_of(1), far));
    let mut w = Writer::new();
    w.raw(&id_of(1).0).u64(1).u64(1).u64(u64::MAX / 2).u32(1 << 20);
    let served = net.nodes[0].engine.stats().repairs;
    // Number by number this would take longer than anybody lives.
    inject(&mut net, 2, 0, FrameKind::Pull, w.finish());
    assert_eq!(net.nodes[0].engine.stats().repairs - served, 1);
}

#[test]
fn names_without_anybody_behind_them_are_forgotten() {
    let mut net = Net::group(3);
    let before = net.nodes[0].engine.peers().len();
    for n in 0..500 {
        inject(&mut net, 1, 0, FrameKind::Announce, announcement(id_of(1000 + n), 1, 5));
    }
    assert!(net.nodes[0].engine.peers().len() > before + 400);
    net.run(secs(120));
    assert_eq!(net.nodes[0].engine.peers().len(), before);
}

/// A full mesh that hears of five hundred places, and goes to none.
#[derive(Clone, Default)]
struct WellInformed(FullMesh, bool);

impl Topology for WellInformed {
    fn kind(&self) -> &'static str {
        "test-well-informed"
    }
    fn needs(&self) -> Needs {
        self.0.needs()
    }
    fn on_input(&mut self, cx: &mut Ctx<'_>, input: TopoInput<'_>) {
        self.0.on_input(cx, input);
    }
    fn next_deadline(&self) -> Option<Instant> {
        (!self.1).then_some(Instant::from_millis(100))
    }
    fn on_deadline(&mut self, cx: &mut Ctx<'_>) {
        self.1 = true;
        (0..500).for_each(|n| cx.out.learn(id_of(1000 + n), vec![format!("test://{n}").into()]));
    }
    fn view(&self, peers: &PeerTable) -> View {
        self.0.view(peers)
    }
}

#[test]
fn places_where_nobody_wants_to_go_are_forgotten() {
    let mut net = Net::new();
    net.add_as(Box::new(WellInformed::default()), EngineConfig::default());
    net.input(0, Input::Found);
    net.run(secs(1));
    assert_eq!(net.nodes[0].engine.peers().len(), 501);
    net.run(secs(120));
    assert_eq!(net.nodes[0].engine.peers().len(), 1);
}

#[test]
fn a_direct_message_that_is_not_taken_in_time_is_told_once() {
    let mut net = Net::group(2);
    // Everything but the parcel arrives: the recipient lives, and takes nothing.
    net.muted = (0, vec![FrameKind::Data, FrameKind::Repair]);
    net.say(0, Some(1), "hello");
    net.run(secs(8));
    net.muted.1.clear();
    net.run(secs(30));
    let told = net.nodes[0].events.iter();
    let told: Vec<_> = told
        .filter_map(|(_, e)| match e {
            Event::Delivery { to: Some(_), reached, of, .. } => Some((*reached, *of)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(0, 1)]);
    assert_eq!(net.texts(1, 0), ["hello"]);
}

/// However many origins leave holes: what waits behind them all together is bounded, and takes nothing from who has none.
#[test]
fn what_waits_behind_holes_is_bounded_altogether() {
    let mut net = Net::group(1);
    let mut config = EngineConfig::default();
    config.limits.ahead = Size::kib(1);
    let one = net.add_with(config);
    net.input(one, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    for origin in 100..200 {
        for number in 2..10 {
            inject(&mut net, 0, one, FrameKind::Data, parcel(id_of(origin), number));
        }
    }
    let ahead = net.nodes[one].engine.stats().ahead;
    assert!((4096..=8192).contains(&ahead), "{ahead} bytes wait");
    net.say(0, None, "hello");
    net.run(secs(1));
    assert_eq!(net.texts(one, 0), ["hello"]);
}
