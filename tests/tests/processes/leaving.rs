//! Members that are asked to go, and a group that goes on.

use tertulia_tests::program::group::Shape;
use tertulia_tests::program::{Place, Running, Signal, group};

fn hears(member: &Running, origin: &str, text: &str) {
    member.event(text, |event| match event {
        tertulia_tests::program::Event::Message(m) if *m.origin == *origin && *m.text == *text => Some(()),
        _ => None,
    });
}

#[test]
fn signals_are_goodbyes() {
    let place = Place::new();
    let all = group::group(&place, "ring", 4, Shape::Ring(1));
    for (member, signal) in [(&all[3], Signal::TERM), (&all[2], Signal::INT)] {
        let peer = member.peer();
        member.say("last words");
        member.until("what became of them", |state| (state.delivered == 1).then_some(()));
        member.signal(signal);
        assert_eq!(member.exit(), 0);
        member.about(0, &["left"], &peer);
        member.has_no_complaint();
        for other in &all[..2] {
            hears(other, &peer, "last words");
            other.about(0, &["left"], &peer);
            let missed = other.state(|s| s.told.iter().any(|s| s.event.is_about(&["dead"], &peer)));
            assert!(!missed, "{} said goodbye, and {} took it for dead", member.name, other.name);
        }
    }
    let rest = [&all[0], &all[1]];
    group::whole(&rest);
    Shape::Ring(1).settled(&rest);
}

/// What was accepted when the signal came is delivered first.
#[test]
fn a_signal_loses_nothing() {
    let place = Place::new();
    let all = group::group(&place, "redundant-ring", 3, Shape::Ring(3));
    let peer = all[2].peer();
    let lines: String = (0..500).map(|n| format!("line {n}\n")).collect();
    assert!(all[2].types(lines.as_bytes()));
    all[2].until("accepted lines", |state| (state.sent >= 100).then_some(()));
    all[2].signal(Signal::TERM);
    assert_eq!(all[2].exit(), 0);
    let (sent, delivered) = all[2].state(|state| (state.sent, state.delivered));
    assert_eq!(sent, delivered);
    for other in &all[..2] {
        other.about(0, &["left"], &peer);
        assert_eq!(other.state(|state| state.heard(&peer)), sent);
    }
}

#[test]
fn the_founder_is_not_needed() {
    let place = Place::new();
    let mut all = group::group(&place, "ring", 4, Shape::Ring(1));
    let founder = all.remove(0);
    let peer = founder.peer();
    founder.say("I found this");
    founder.leaves();
    for member in &all {
        hears(member, &peer, "I found this");
        member.about(0, &["left"], &peer);
    }
    let addr = all[1].addr();
    all.push(place.chat("ring", "zoe").join(&addr).start());
    // The founder's data directory is never used again.
    let members: Vec<&Running> = all.iter().collect();
    group::whole(&members);
    Shape::Ring(1).settled(&members);
    let zoe = &all[3];
    zoe.say("hello");
    for member in &all[..3] {
        hears(member, &zoe.peer(), "hello");
        member.say("welcome");
        hears(zoe, &member.peer(), "welcome");
    }
    // What the founder said is still there for those who come.
    hears(zoe, &peer, "I found this");
    all.iter().for_each(Running::end_input);
    all.iter().for_each(Running::leaves);
}

/// `/quit` and `$exit` are as good as the end of input.
#[test]
fn commands_to_leave() {
    let place = Place::new();
    let all = group::group(&place, "ring", 3, Shape::Ring(1));
    for (member, line) in [(&all[2], "/quit"), (&all[1], "$exit"), (&all[0], "/quit")] {
        member.say(line);
        assert_eq!(member.exit(), 0);
        member.has_no_complaint();
    }
    assert_eq!(all[0].state(|state| state.sent), 0, "a command was sent as text");
}
