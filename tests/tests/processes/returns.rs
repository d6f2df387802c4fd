//! Members that die and come back with their data directory.

use tertulia_tests::program::group::Shape;
use tertulia_tests::program::talk::words;
use tertulia_tests::program::{Event, Place, Running, check, group};

/// Lines that each one says before, while one is away, and afterwards.
const LINES: u64 = 40;
const LEN: usize = 40;

fn says(member: &Running, from: u64, upto: u64) {
    let lines: String = (from..=upto).map(|n| words(&member.name, n, LEN) + "\n").collect();
    assert!(member.types(lines.as_bytes()));
}

fn hears(member: &Running, origin: &str, count: u64) {
    member.until("what others say", |state| (state.heard(origin) >= count).then_some(()));
}

fn restart(profile: &str, n: usize, shape: Shape) {
    let place = Place::new();
    let mut all = group::group(&place, profile, n, shape);
    all.iter().for_each(|member| says(member, 1, LINES));
    let ben = all.remove(1);
    let peer = ben.peer();
    for member in &all {
        hears(member, &peer, LINES);
        hears(&ben, &member.peer(), LINES);
    }
    let marks: Vec<usize> = all.iter().map(Running::mark).collect();
    let died = ben.kill();
    // At once: most members have not even noticed.
    let ben = place.chat(profile, "ben").join(&all[0].addr()).start();
    all.iter().for_each(|member| says(member, LINES + 1, 2 * LINES));
    assert_eq!(ben.peer(), peer, "another key");
    let back = died.elapsed();
    let mut seen = Vec::new();
    for (member, mark) in all.iter().zip(marks) {
        seen.push(member.about(mark, &["recovered", "joined"], &peer));
    }
    says(&ben, 1, LINES);
    all.iter().for_each(|member| says(member, 2 * LINES + 1, 3 * LINES));
    for member in &all {
        hears(member, &peer, 2 * LINES);
        // What was said before and in the meantime is history for it, and it gets that too.
        hears(&ben, &member.peer(), 3 * LINES);
    }
    let mut members: Vec<&Running> = all.iter().collect();
    members.push(&ben);
    group::whole(&members);
    shape.settled(&members);
    println!(
        "{profile}, {n} members: killed, ready again after {} ms, seen by all after {} ms",
        back.as_millis(),
        seen.iter().max().unwrap().duration_since(died).as_millis()
    );

    members.iter().for_each(|member| member.end_input());
    for member in &all {
        member.leaves();
        let heard = member.state(check::heard);
        let runs: Vec<_> = heard.iter().filter(|((origin, _), _)| *origin == peer).collect();
        assert_eq!(runs.len(), 2, "a restart is a run of its own");
        for (_, stream) in runs {
            check::exactly(stream, LINES, |n| words("ben", n, LEN));
        }
    }
    ben.leaves();
    let heard = ben.state(check::heard);
    for member in &all {
        let (_, stream) = heard.iter().find(|((origin, _), _)| *origin == member.peer()).unwrap();
        check::exactly(stream, 3 * LINES, |n| words(&member.name, n, LEN));
    }
}

#[test]
fn one_of_two() {
    restart("ring", 2, Shape::Ring(1));
}

#[test]
fn one_of_four_on_a_ring() {
    restart("ring", 4, Shape::Ring(1));
}

#[test]
fn one_of_four_on_a_redundant_ring() {
    restart("redundant-ring", 4, Shape::Ring(3));
}

/// `cleo` comes back without an address, and nobody can be looked up; `rest` had stayed.
#[test]
fn one_of_four_around_a_leader() {
    restart("leader", 4, Shape::Star);
}

fn comes_back(rest: [&Running; 2], cleo: &Running, peer: &str) {
    assert_eq!(cleo.peer(), peer);
    let members = [rest[0], rest[1], cleo];
    group::whole(&members);
    cleo.say("here again");
    for member in rest {
        hears(member, peer, 1);
    }
    rest[1].say("welcome");
    hears(cleo, &rest[1].peer(), 1);
}

/// Without discovery and without an address: the address book knows the way, however short the time was to fill it.
#[test]
fn through_the_address_book() {
    let place = Place::new();
    let all = group::group(&place, "ring", 3, Shape::Ring(1));
    let [ana, ben, cleo] = &all[..] else { unreachable!() };
    let peer = cleo.peer();
    cleo.leaves();
    ben.about(0, &["left"], &peer);
    let cleo = place.chat("ring", "cleo").set("discovery.kind=static").start();
    comes_back([ana, ben], &cleo, &peer);
    cleo.kill();
    let again = place.chat("ring", "cleo").set("discovery.kind=static").start();
    let from = again.peer();
    again.say("and again");
    for member in [ana, ben] {
        hears(member, &from, 2);
    }
    assert_eq!(from, peer);
}

/// Discovery sees nobody, as it would on another machine: the address book knows the way all the same.
#[test]
fn past_discovery_that_sees_nobody() {
    let place = Place::new();
    let all = group::group(&place, "ring", 3, Shape::Ring(1));
    let [ana, ben, cleo] = &all[..] else { unreachable!() };
    let peer = cleo.peer();
    cleo.leaves();
    ben.about(0, &["left"], &peer);
    let cleo = place.chat("ring", "cleo").env("TERTULIA_RUNTIME_DIR", place.path().join("elsewhere")).start();
    comes_back([ana, ben], &cleo, &peer);
    let alone =
        cleo.state(|s| s.told.iter().any(|s| matches!(&s.event, Event::Other(e) if e["event"] == "waiting")));
    assert!(!alone, "it founded a group of its own");
}

/// A group of one was founded beside the others, and the groups soon meet.
#[test]
fn groups_of_one_name_meet() {
    let place = Place::new();
    let all = group::group(&place, "ring", 3, Shape::Ring(1));
    let [ana, ben, cleo] = &all[..] else { unreachable!() };
    let peer = cleo.peer();
    cleo.kill();
    ana.about(0, &["dead"], &peer);
    let elsewhere = place.path().join("elsewhere");
    let cleo = place.chat("ring", "cleo").env("TERTULIA_RUNTIME_DIR", elsewhere).arg("--found").start();
    let start = std::time::Instant::now();
    comes_back([ana, ben], &cleo, &peer);
    println!("two groups of one name were one after {} ms", start.elapsed().as_millis());
}
