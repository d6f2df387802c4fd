//! The engine in a miniature network: joining, delivering, repairing, dying, returning.

mod cut;
mod dialling;
mod direct;
mod hearsay;
mod net;
mod order;
mod repair;

use std::time::Duration;

use net::{Net, id_of};
use tertulia_core::engine::api::{Event, Input};
use tertulia_core::frame::FrameKind;
use tertulia_core::peers::State;
use tertulia_core::time::Instant;

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_group_forms_and_talks_in_order() {
    let mut net = Net::group(4);
    for i in 0..20 {
        for n in 0..4 {
            net.say(n, None, &format!("{n}-{i}"));
        }
        net.run(Duration::from_millis(5));
    }
    net.run(secs(2));
    for n in 0..4 {
        for from in (0..4).filter(|&f| f != n) {
            let want: Vec<String> = (0..20).map(|i| format!("{from}-{i}")).collect();
            assert_eq!(net.texts(n, from), want, "{from} to {n}");
        }
        let told = net.nodes[n].events.iter();
        let complete = told.filter(|(_, e)| matches!(e, Event::Delivery { reached: 3, of: 3, .. })).count();
        assert_eq!(complete, 20, "node {n}: {:?}", net.nodes[n].events);
    }
}

#[test]
fn lost_frames_are_repaired() {
    let mut net = Net::group(5);
    net.loss = 0.6;
    for i in 0..50 {
        net.say(i % 5, None, &format!("{i}"));
        net.run(Duration::from_millis(20));
    }
    net.loss = 0.0;
    net.run(secs(20));
    for n in 0..5 {
        for from in (0..5).filter(|&f| f != n) {
            let want: Vec<String> = (0..50).filter(|i| i % 5 == from).map(|i| i.to_string()).collect();
            assert_eq!(net.texts(n, from), want, "{from} to {n}");
        }
    }
    let repairs: u64 = net.nodes.iter().map(|n| n.engine.stats().repairs).sum();
    assert!(repairs > 0);
}

#[test]
fn direct_messages_arrive_once_and_are_acknowledged() {
    let mut net = Net::group(3);
    net.loss = 0.3;
    for i in 0..10 {
        net.say(0, Some(2), &format!("{i}"));
    }
    net.run(secs(30));
    assert_eq!(net.texts(2, 0), (0..10).map(|i| i.to_string()).collect::<Vec<_>>());
    assert!(net.texts(1, 0).is_empty());
    let told: u64 = net.nodes[0]
        .events
        .iter()
        .map(|(_, e)| match e {
            Event::Delivery { to: Some(to), from_seq, to_seq, reached: 1, .. } if *to == id_of(2) => {
                to_seq - from_seq + 1
            }
            _ => 0,
        })
        .sum();
    assert_eq!(told, 10);
}

#[test]
fn a_death_is_noticed_without_traffic_and_a_restart_makes_whole() {
    let mut net = Net::group(4);
    net.say(3, None, "before");
    net.run(secs(1));
    net.crash(3);
    net.run(secs(5));
    let dead = |n: usize, net: &Net| net.state(n, 3);
    for n in 0..3 {
        assert_eq!(dead(n, &net), State::Dead, "node {n}");
    }
    net.say(0, None, "away");
    net.run(secs(1));
    net.restart(3, 2);
    net.input(3, Input::Join(vec!["test://1".into()]));
    net.run(secs(3));
    for n in 0..3 {
        assert_eq!(dead(n, &net), State::Alive, "node {n}");
    }
    net.say(3, None, "back");
    net.say(1, None, "welcome");
    net.run(secs(3));
    assert_eq!(net.texts(0, 3), ["before", "back"]);
    assert_eq!(net.texts(3, 0), ["away"]);
    assert_eq!(net.texts(3, 1), ["welcome"]);
}

#[test]
fn whoever_reaches_nobody_is_told_the_reason_as_it_is() {
    let mut net = Net::new();
    let alone = net.add(1, "ana", false);
    net.input(alone, Input::Join(vec!["test://7".into()]));
    net.run(secs(6));
    let told: Vec<_> = net.nodes[alone].events.iter().map(|(_, e)| e).collect();
    assert!(
        matches!(&told[..], [Event::Trouble { code: "unreachable", reason, .. }] if reason == "nobody"),
        "{told:?}"
    );
}

#[test]
fn of_two_holders_of_one_key_the_earlier_run_goes() {
    let mut net = Net::group(3);
    let double = net.double(1, 2);
    net.input(double, Input::Join(vec!["test://0".into()]));
    net.run(secs(10));
    let refused = |e: &(_, Event)| matches!(e.1, Event::Refused { code: "identity-in-use", .. });
    assert!(net.nodes[1].events.iter().any(refused), "{:?}", net.nodes[1].events);
    assert!(!net.nodes[1].up);
    assert!(net.nodes[double].up && net.nodes[double].engine.is_member());
}

#[test]
fn halves_that_grew_apart_meet_again() {
    let mut net = Net::group(4);
    net.cut = Box::new(|a, b| (a < 2) != (b < 2));
    net.run(secs(20));
    net.say(0, None, "left half");
    net.say(3, None, "right half");
    net.run(secs(5));
    assert!(net.texts(3, 0).is_empty());
    net.cut = Box::new(|_, _| false);
    net.run(secs(60));
    assert_eq!(net.texts(3, 0), ["left half"]);
    assert_eq!(net.texts(0, 3), ["right half"]);
    for n in 0..4 {
        assert_eq!(net.nodes[n].engine.peers().live().count(), 4, "node {n}");
    }
}

#[test]
fn who_was_met_shortly_is_in_the_address_book() {
    let mut net = Net::new();
    for n in 0..3 {
        net.add(1, &format!("n{n}"), false);
    }
    net.input(0, Input::Found);
    net.input(1, Input::Join(vec!["test://0".into()]));
    net.run(ms(100));
    // It may be killed at any moment.
    assert_eq!(net.nodes[1].book, [id_of(0)]);
    net.input(2, Input::Join(vec!["test://0".into()]));
    net.run(ms(100));
    assert_eq!(net.nodes[1].book, [id_of(0)], "not stored for each newcomer");
    net.input(1, Input::Leave(net.now + secs(10)));
    net.run(ms(500));
    assert!(!net.nodes[1].up);
    assert!(net.nodes[1].book.contains(&id_of(2)), "{:?}", net.nodes[1].book);
}

#[test]
fn one_nick_belongs_to_one_member() {
    let mut net = Net::group(2);
    let third = net.add(1, "n0", false);
    net.input(third, Input::Join(vec!["test://0".into()]));
    net.run(secs(2));
    let nicks: Vec<String> = net.nodes[0].engine.peers().live().map(|(_, e)| e.nick.to_string()).collect();
    assert!(nicks.contains(&"n0".into()) && nicks.contains(&"n0-2".into()), "{nicks:?}");
}

/// A suffix makes no nick too long for others to accept, and cuts no character in two.
#[test]
fn a_long_nick_is_suffixed_within_its_bound() {
    for (wanted, got) in
        [("x".repeat(32), format!("{}-3", "x".repeat(30))), ("ж".repeat(16), format!("{}-3", "ж".repeat(15)))]
    {
        let mut net = Net::group(2);
        let third = net.add_refused(&wanted, 2);
        net.input(third, Input::Join(vec!["test://0".into()]));
        net.run(secs(2));
        let nicks: Vec<String> =
            net.nodes[0].engine.peers().live().map(|(_, e)| e.nick.to_string()).collect();
        assert!(nicks.contains(&got), "{nicks:?}");
    }
}

#[test]
fn leaving_is_told_and_loses_nothing() {
    let mut net = Net::group(3);
    net.say(2, None, "goodbye");
    net.input(2, Input::Leave(net.now + secs(10)));
    net.run(secs(3));
    assert!(!net.nodes[2].up);
    for n in 0..2 {
        assert_eq!(net.texts(n, 2), ["goodbye"]);
        let left = |e: &&(_, Event)| matches!(&e.1, Event::Left(w, _) if w.peer == id_of(2));
        assert_eq!(net.nodes[n].events.iter().filter(left).count(), 1, "{:?}", net.nodes[n].events);
        let bad = |e: &&(_, Event)| matches!(&e.1, Event::Dead(..) | Event::Suspect(..));
        assert_eq!(net.nodes[n].events.iter().filter(bad).count(), 0);
    }
}

/// What was told to be late is not taken for delivered before it is.
#[test]
fn what_is_late_is_not_delivered() {
    let mut net = Net::group(2);
    net.muted = (0, vec![FrameKind::Sync]);
    net.say(1, None, "is it there?");
    net.run(secs(6));
    let told = |e: &(_, Event)| matches!(e.1, Event::Delivery { reached: 0, of: 1, .. });
    assert!(net.nodes[1].events.iter().any(told), "{:?}", net.nodes[1].events);
    assert!(!net.nodes[1].engine.has_delivered_all());
    net.muted = (0, vec![]);
    net.say(0, None, "yes");
    net.run(secs(3));
    assert!(net.nodes[1].engine.has_delivered_all());
}

/// Somebody who never says what it has holds nobody up for longer than was allowed, and hears the goodbye.
#[test]
fn leaving_ends_in_time_and_with_a_goodbye() {
    let mut net = Net::group(2);
    net.muted = (0, vec![FrameKind::Sync]);
    net.say(1, None, "is it there?");
    let end = net.now + secs(4);
    net.input(1, Input::Leave(end));
    net.run(ms(1900));
    assert!(net.nodes[1].up, "it waits for what it said");
    net.run(ms(2100));
    assert!(!net.nodes[1].up);
    let left = |e: &&(Instant, Event)| matches!(&e.1, Event::Left(w, _) if w.peer == id_of(1));
    let at: Vec<Instant> = net.nodes[0].events.iter().filter(left).map(|e| e.0).collect();
    assert!(matches!(at[..], [at] if at < end), "{at:?}");
}
