//! What is missing is found, and nothing is given up that somebody has.

use tertulia_core::engine::api::{Down, Event, Input};
use tertulia_core::frame::FrameKind;

use crate::net::{Net, id_of};
use crate::{ms, secs};

fn gaps(net: &Net, n: usize) -> Vec<&Event> {
    net.nodes[n].events.iter().map(|(_, e)| e).filter(|e| matches!(e, Event::Gap { .. })).collect()
}

#[test]
fn what_the_end_of_an_answer_tells_is_looked_for() {
    let mut net = Net::group(2);
    net.muted = (0, vec![FrameKind::Data]);
    net.say(0, None, "one");
    let asked = |net: &Net| net.nodes[1].engine.stats().pulls;
    while asked(&net) == 0 {
        net.run(ms(1));
    }
    // The question is under way and asks for the first only; the second is on nobody's lips but the answer's.
    net.say(0, None, "two");
    net.run(secs(5));
    assert_eq!(net.texts(1, 0), ["one", "two"]);
}

/// Node 0 says things of which only some arrive, and for `silence` nobody tells how far it is.
fn with_a_hole(before: &[&str], lost: &str, after: &str, silence: u64) -> Net {
    let mut net = Net::group(3);
    for text in before {
        net.say(0, None, text);
        net.run(secs(1));
    }
    net.muted = (0, vec![FrameKind::Sync, FrameKind::Data]);
    net.say(0, None, lost);
    net.muted.1.pop();
    net.run(ms(10));
    net.say(0, None, after);
    net.run(secs(silence));
    net.muted.1.clear();
    net
}

#[test]
fn a_hole_that_nobody_is_known_to_have_dropped_is_no_gap() {
    let mut net = with_a_hole(&["one"], "two", "three", 8);
    for n in [1, 2] {
        assert_eq!(net.texts(n, 0), ["one"], "node {n}");
    }
    net.run(secs(5));
    for n in [1, 2] {
        assert_eq!(net.texts(n, 0), ["one", "two", "three"], "node {n}");
        assert!(gaps(&net, n).is_empty(), "node {n}: {:?}", gaps(&net, n));
    }
}

/// Node 2 hears of node 0 through node 1 alone, and one parcel does not get that far for long.
#[test]
fn what_a_live_member_holds_is_no_gap_however_long_it_takes() {
    let mut net = Net::group(3);
    net.say(0, None, "one");
    net.run(secs(1));
    net.cut = Box::new(|a, b| a + b == 2 && a != b);
    let (link, (_, there)) =
        net.nodes[0].links.iter().find(|(_, (to, _))| *to == 2).map(|(l, t)| (*l, *t)).unwrap();
    for (n, link) in [(0, link), (2, there)] {
        net.nodes[n].links.remove(&link);
        net.input(n, Input::LinkDown { link, reason: Down::Closed });
    }
    net.run(secs(5));
    net.muted = (0, vec![FrameKind::Repair, FrameKind::Data]);
    net.say(0, None, "two");
    net.run(ms(10));
    net.muted.1.pop();
    net.say(0, None, "three");
    net.run(secs(30));
    for n in [1, 2] {
        assert_eq!(net.texts(n, 0), ["one"], "node {n}");
    }
    net.muted.1.clear();
    net.run(secs(5));
    for n in [1, 2] {
        assert_eq!(net.texts(n, 0), ["one", "two", "three"], "node {n}");
        assert!(gaps(&net, n).is_empty(), "node {n}: {:?}", gaps(&net, n));
    }
}

/// However often a member has come and gone: what it says in its present run is looked for like anything else, by those too
/// that only hear of it from others.
#[test]
fn what_is_said_in_a_later_run_is_pulled_as_well() {
    let mut net = Net::group(3);
    for run in 2..=9 {
        net.say(2, None, &format!("run {}", run - 1));
        net.run(secs(1));
        net.restart(2, run);
        net.input(2, Input::Join(vec!["test://1".into()]));
        net.run(secs(2));
    }
    // Nobody gives the first node the payload unasked.
    net.cut = Box::new(|a, b| a + b == 2 && a != b);
    net.muted = (1, vec![FrameKind::Data]);
    net.say(2, None, "the last");
    net.run(ms(500));
    net.crash(2);
    net.run(secs(10));
    assert_eq!(net.texts(1, 2).last().map(String::as_str), Some("the last"));
    assert_eq!(net.texts(0, 2), net.texts(1, 2));
}

#[test]
fn a_stream_does_not_start_at_what_happens_to_arrive_first() {
    let mut net = with_a_hole(&[], "one", "two", 2);
    for n in [1, 2] {
        assert!(net.texts(n, 0).is_empty(), "node {n}");
    }
    net.run(secs(5));
    for n in [1, 2] {
        assert_eq!(net.texts(n, 0), ["one", "two"], "node {n}");
        assert!(gaps(&net, n).is_empty(), "node {n}: {:?}", gaps(&net, n));
    }
}

#[test]
fn abandoned_direct_messages_are_told_and_hold_nothing_up() {
    let mut net = Net::group(2);
    net.say(0, Some(1), "one");
    net.run(secs(1));
    net.cut = Box::new(|_, _| true);
    net.say(0, Some(1), "two");
    net.run(secs(20));
    let undelivered = |e: &(_, Event)| matches!(&e.1, Event::Undeliverable { to, from_seq: 2, to_seq: 2, .. } if *to == id_of(1));
    let told = net.nodes[0].events.iter().filter(|e| undelivered(e)).count();
    assert_eq!(told, 1, "{:?}", net.nodes[0].events);
    net.cut = Box::new(|_, _| false);
    net.run(secs(60));
    net.say(0, Some(1), "three");
    net.run(secs(5));
    assert_eq!(net.texts(1, 0), ["one", "three"]);
    let arrived =
        |e: &(_, Event)| matches!(e.1, Event::Delivery { to: Some(_), from_seq: 3, reached: 1, .. });
    assert!(net.nodes[0].events.iter().any(arrived), "{:?}", net.nodes[0].events);
}

#[test]
fn what_a_newcomer_got_on_its_way_in_is_told() {
    let mut net = Net::group(1);
    net.say(0, None, "old");
    let second = net.add_waiting(secs(2));
    net.input(second, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    assert_eq!(net.texts(second, 0), ["old"]);
    assert!(!net.nodes[second].engine.is_member());
    net.run(secs(2));
    assert!(net.nodes[second].engine.is_member());
    net.crash(0);
    net.run(secs(10));
    let third = net.add(1, "n2", false);
    net.input(third, Input::Join(vec!["test://1".into()]));
    net.run(secs(3));
    assert_eq!(net.texts(third, 0), ["old"]);
}

#[test]
fn a_newcomer_tells_its_first_neighbours_as_well() {
    let mut net = Net::group(2);
    net.cut = Box::new(|a, b| a + b == 1);
    net.say(0, None, "old");
    let third = net.add_waiting(secs(2));
    net.muted = (third, vec![FrameKind::Data]);
    net.input(third, Input::Join(vec!["test://0".into(), "test://1".into()]));
    net.run(secs(1));
    assert_eq!((net.texts(third, 0).len(), net.texts(1, 0).len()), (1, 0));
    net.crash(0);
    net.run(secs(5));
    assert_eq!(net.texts(1, 0), ["old"]);
}
