//! Who is dialled, how often, and what follows when nobody answers.

use tertulia_core::engine::api::{Event, Input};
use tertulia_core::frame::FrameKind;
use tertulia_core::id::PeerId;
use tertulia_core::peers::State;
use tertulia_core::time::Instant;

use crate::net::{Net, id_of};
use crate::{ms, secs};

/// Whom a newcomer has asked last to be let in.
fn asked(net: &Net, newcomer: usize) -> Option<PeerId> {
    let engine = &net.nodes[newcomer].engine;
    engine.view().leader.map(|p| engine.peers().id(p))
}

#[test]
fn whoever_is_still_linked_is_not_dialled_again_while_joining() {
    let mut net = Net::group(2);
    let new = net.add_waiting(secs(60));
    // Node 1 is linked, but has not told all it knows when the contact goes.
    net.muted = (1, vec![FrameKind::Sync]);
    net.input(new, Input::Join(vec!["test://0".into(), "test://1".into()]));
    net.run(secs(1));
    assert_eq!(net.nodes[new].links.len(), 2);
    net.crash(0);
    net.run(secs(2));
    net.muted.1.clear();
    net.run(secs(5));
    assert_eq!(asked(&net, new), Some(id_of(1)));
    let dials = |net: &Net| net.nodes[new].dials.iter().filter(|(_, addr)| addr == "test://1").count();
    assert_eq!(dials(&net), 1, "{:?}", net.nodes[new].dials);
    net.crash(1);
    net.run(secs(5));
    assert!(dials(&net) > 1, "without any link it goes on");
}

#[test]
fn a_contact_that_falls_silent_is_given_up_for_another() {
    let mut net = Net::group(2);
    let new = net.add_waiting(secs(60));
    net.input(new, Input::Join(vec!["test://0".into(), "test://1".into()]));
    net.run(secs(1));
    assert_eq!(asked(&net, new), Some(id_of(0)));
    // Its host dies: nobody closes anything.
    net.nodes[0].up = false;
    net.run(secs(10));
    assert_eq!(asked(&net, new), Some(id_of(1)));
}

#[test]
fn a_refusal_is_final_when_it_is_said_twice() {
    let mut net = Net::group(2);
    let new = net.add_waiting(secs(60));
    // One hello was altered on its way.
    net.refusing = 1;
    net.input(new, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    assert!(!net.nodes[new].links.is_empty(), "it tried again: {:?}", net.nodes[new].events);

    let stranger = net.add_waiting(secs(60));
    net.refusing = u32::MAX;
    net.input(stranger, Input::Join(vec!["test://0".into(), "test://1".into()]));
    net.run(secs(1));
    let last = net.nodes[stranger].events.last().map(|(_, event)| event.clone());
    assert!(
        matches!(last, Some(Event::Refused { code: "wrong-secret", hint: "check them", .. })),
        "{last:?}"
    );
    assert_eq!(net.nodes[stranger].dials.len(), 4);
}

#[test]
fn links_that_do_not_last_are_redialled_ever_less_often() {
    let mut net = Net::group(2);
    let start = net.now;
    while net.now < start + secs(30) {
        net.run(ms(100));
        net.break_link(0, 1);
    }
    let late = |n: &&(Instant, String)| n.0 >= start + secs(15);
    let late = net.nodes.iter().flat_map(|n| &n.dials).filter(late).count();
    assert!((1..=12).contains(&late), "{late} dials in fifteen seconds");
}

#[test]
fn a_member_that_cannot_be_dialled_is_suspected() {
    let mut net = Net::group(2);
    let third = net.add(1, "n2", false);
    // Node 0 knows of node 2 by hearsay only.
    net.cut = Box::new(|a, b| a + b == 2 && a != b);
    net.input(third, Input::Join(vec!["test://1".into()]));
    net.run(ms(100));
    assert_eq!(net.state(0, 2), State::Alive);
    net.crash(2);
    net.crash(1);
    net.run(secs(10));
    let told = net.nodes[0].events.iter();
    let reason = told.filter_map(|(_, e)| match e {
        Event::Suspect(who, reason) if who.peer == id_of(2) => Some(*reason),
        _ => None,
    });
    assert_eq!(reason.collect::<Vec<_>>(), ["cannot be reached"]);
    assert_eq!(net.state(0, 2), State::Dead);
}

#[test]
fn whoever_is_no_member_yet_suspects_nobody() {
    let mut net = Net::group(1);
    let new = net.add_waiting(secs(60));
    net.input(new, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    net.break_link(0, new);
    net.run(secs(5));
    assert_eq!(net.nodes[new].links.len(), 1, "linked again");
    assert_eq!(net.state(new, 0), State::Alive);
}

#[test]
fn what_a_newcomer_learnt_is_told_once_it_is_a_member() {
    let mut net = Net::new();
    (0..2).for_each(|n| assert_eq!(net.add(1, &format!("n{n}"), false), n));
    // Two groups that cannot reach each other, and a newcomer that is linked to both long before it is let in.
    net.cut = Box::new(|a, b| a + b == 1);
    net.input(0, Input::Found);
    net.input(1, Input::Found);
    net.run(secs(1));
    let new = net.add_waiting(secs(3));
    net.input(new, Input::Join(vec!["test://0".into(), "test://1".into()]));
    net.run(secs(2));
    assert!(!net.nodes[new].engine.is_member());
    net.run(secs(8));
    for (n, other) in [(0, 1), (1, 0)] {
        let engine = &net.nodes[n].engine;
        let known = engine.peers().find(&id_of(other)).map(|p| engine.peers().get(p).state);
        assert!(
            known.is_some_and(|state| state != State::Unknown),
            "{n} has not heard of {other}: {known:?}"
        );
    }
}
