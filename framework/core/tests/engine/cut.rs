//! What is beyond a cut is waited for, not given up.

use std::time::Duration;

use super::net::Net;
use tertulia_core::engine::api::Event;
use tertulia_core::frame::FrameKind;
use tertulia_core::peers::State;

#[test]
fn a_hole_that_only_somebody_beyond_a_cut_can_fill_is_no_gap() {
    let mut net = Net::group(3);
    net.cut = Box::new(|a, _| a == 0);
    net.say(0, None, "lost at once");
    net.cut = Box::new(|_, _| false);
    net.say(0, None, "arrives");
    net.run(Duration::from_millis(2));
    net.cut = Box::new(|a, b| (a == 0) != (b == 0));
    net.run(Duration::from_secs(60));
    for n in [1, 2] {
        assert!(net.texts(n, 0).is_empty(), "in order or not at all: {:?}", net.texts(n, 0));
    }
    net.cut = Box::new(|_, _| false);
    net.run(Duration::from_secs(120));
    for n in [1, 2] {
        assert_eq!(net.texts(n, 0), ["lost at once", "arrives"]);
        assert!(!net.nodes[n].events.iter().any(|(_, e)| matches!(e, Event::Gap { .. })), "no gap");
    }
}

#[test]
fn whoever_comes_back_from_a_cut_is_given_time() {
    let mut net = Net::group(3);
    net.cut = Box::new(|a, _| a == 0);
    net.say(0, None, "lost at once");
    net.cut = Box::new(|_, _| false);
    net.say(0, None, "arrives");
    net.run(Duration::from_millis(2));
    net.cut = Box::new(|a, b| (a == 0) != (b == 0));
    net.run(Duration::from_secs(60));
    assert_eq!(net.state(1, 0), State::Dead);
    // Node 1 hears that it is back long before anybody in its reach has what it alone holds.
    net.muted = (0, vec![FrameKind::Data, FrameKind::Repair]);
    net.cut = Box::new(|a, b| a + b == 1);
    while !net.state(1, 0).is_live() {
        net.run(Duration::from_millis(10));
    }
    net.run(Duration::from_secs(2));
    assert!(net.texts(1, 0).is_empty(), "{:?} {:?}", net.texts(1, 0), net.nodes[1].events);
    net.muted.1.clear();
    net.cut = Box::new(|_, _| false);
    net.run(Duration::from_secs(60));
    assert_eq!(net.texts(1, 0), ["lost at once", "arrives"]);
}

#[test]
fn a_hole_that_nobody_will_ever_fill_is_told() {
    let mut net = Net::group(3);
    net.cut = Box::new(|a, _| a == 0);
    net.say(0, None, "lost for ever");
    net.cut = Box::new(|_, _| false);
    net.say(0, None, "arrives");
    net.run(Duration::from_millis(2));
    // It comes back without its memory.
    net.restart(0, 2);
    net.input(0, tertulia_core::engine::api::Input::Join(vec!["test://1".into()]));
    net.run(Duration::from_secs(60));
    for n in [1, 2] {
        assert_eq!(net.texts(n, 0), ["arrives"]);
        assert!(net.nodes[n].events.iter().any(|(_, e)| matches!(e, Event::Gap { .. })), "told");
    }
}
