//! Programs that were told nothing find each other on one machine.

use tertulia_tests::program::group::Shape;
use tertulia_tests::program::{Event, Place, Running, group};

/// Times that the start is tried.
const TRIES: usize = 5;

fn talk(a: &Running, b: &Running) {
    for (from, to) in [(a, b), (b, a)] {
        let text = format!("from {}", from.name);
        from.say(&text);
        to.event(&text, |event| matches!(event, Event::Message(m) if *m.text == *text).then_some(()));
    }
}

#[test]
fn two_at_the_same_instant_are_one_group() {
    for _ in 0..TRIES {
        let place = Place::new();
        let both: Vec<Running> = ["one", "two"].map(|name| place.bare(name).start()).into();
        let nicks: Vec<String> =
            both.iter().map(|m| m.named("ready")["nick"].as_str().unwrap().to_owned()).collect();
        assert_ne!(nicks[0], nicks[1]);
        group::whole(&[&both[0], &both[1]]);
        talk(&both[0], &both[1]);
        both.iter().for_each(Running::end_input);
        both.iter().for_each(Running::leaves);
    }
}

#[test]
fn five_at_the_same_instant_are_one_group() {
    let place = Place::new();
    let all: Vec<Running> = (0..5).map(|n| place.bare(&format!("number {n}")).start()).collect();
    let members: Vec<&Running> = all.iter().collect();
    group::whole(&members);
    Shape::Ring(1).settled(&members);
    all.iter().for_each(Running::end_input);
    all.iter().for_each(Running::leaves);
}

#[test]
fn the_two_programs_talk() {
    let place = Place::new();
    let ana = place.ring_chat("ana").start();
    ana.peer();
    let ben = place.chat("ring", "ben").start();
    group::whole(&[&ana, &ben]);
    talk(&ana, &ben);
    ben.leaves();
    let eva = place.chat("ring", "eva").start();
    group::whole(&[&ana, &eva]);
    ana.leaves();
    eva.leaves();
}

/// A founder that was killed is not found, and does not keep others from founding.
#[test]
fn what_the_dead_leave_behind_is_no_group() {
    let place = Place::new();
    let first = place.bare("first").start();
    let old = first.peer();
    first.kill();
    let second = place.bare("second").arg("--data-dir").arg(place.data("second")).start();
    assert_ne!(second.peer(), old);
    let third = place.bare("third").arg("--data-dir").arg(place.data("third")).start();
    group::whole(&[&second, &third]);
    talk(&second, &third);
}
