//! Members are killed while everybody talks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tertulia_tests::program::group::{self, Shape, ms, silence};
use tertulia_tests::program::talk::{Talker, words};
use tertulia_tests::program::{Place, Running, check};

/// Lines that each one says in a second, and their length.
const PACE: u64 = 60;
const LEN: usize = 80;
/// Lines of a victim that are heard before it dies, and of each survivor after that.
const BEFORE: u64 = 50;
const AFTER: u64 = 50;
/// Nobody is silent for longer than this and the time until a death is found and mended.
const STALL: Duration = Duration::from_millis(250);

/// A group of which members are killed.
struct Group {
    place: Place,
    profile: &'static str,
    shape: Shape,
}

impl Group {
    fn of(profile: &'static str, shape: Shape) -> Group {
        Group { place: Place::new(), profile, shape }
    }
}

/// Kills the members that `choose` picks from what `/topology` says.
fn kill(group: &Group, choose: impl Fn(&Value) -> Vec<String>) {
    let Group { place, profile, shape } = group;
    let all: Vec<Arc<Running>> = group::group(place, profile, 8, *shape).into_iter().map(Arc::new).collect();
    let victims = choose(&all[0].ask("/topology", "topology"));
    let (dead, alive): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|m| victims.contains(&m.peer()));
    let survivors: Vec<&Running> = alive.iter().map(|m| &**m).collect();

    let _dying: Vec<Talker> = dead.iter().map(|m| Talker::start(m, PACE, LEN)).collect();
    let talkers: Vec<Talker> = alive.iter().map(|m| Talker::start(m, PACE, LEN)).collect();
    for victim in &victims {
        alive[0].until("what victims say", |state| (state.heard(victim) >= BEFORE).then_some(()));
    }
    let control = Instant::now();
    let marks: Vec<u64> = talkers.iter().map(|t| t.said() + BEFORE).collect();
    for (other, before) in alive.iter().zip(marks).skip(1) {
        let origin = other.peer();
        alive[0].until("a talk among all", |state| (state.heard(&origin) >= before).then_some(()));
    }
    let at = Instant::now();
    // Both within a millisecond or two: nothing is repaired in between.
    let killed: Vec<Instant> = dead.iter().map(|member| member.kill()).collect();
    let apart = killed.last().unwrap().duration_since(at);
    let settled = shape.settled(&survivors);
    let agreed = Instant::now();
    let mut found = Vec::new();
    for member in &survivors {
        found.extend(victims.iter().map(|victim| member.about(0, &["dead"], victim)));
    }
    let marks: Vec<u64> = talkers.iter().map(|t| t.said() + AFTER).collect();
    let said: Vec<u64> =
        talkers.into_iter().zip(marks).map(|(talker, mark)| talker.stop_after(mark)).collect();
    let stopped = Instant::now();
    finish(&survivors, &said, &dead);
    let quiet = [(control, at), (at, stopped)].map(|(since, until)| silence(&survivors, since, until));
    println!(
        "{profile}, {} of 8 killed {apart:?} apart: declared dead after {} to {} ms, settled after {} ms, all agree after \
         {} ms; nothing heard for {} ms at most ({} ms before anybody died), nothing of one other for {} ms ({} ms)",
        victims.len(),
        ms(*found.iter().min().unwrap(), at),
        ms(*found.iter().max().unwrap(), at),
        ms(settled, at),
        ms(agreed, at),
        quiet[1].0.as_millis(),
        quiet[0].0.as_millis(),
        quiet[1].1.as_millis(),
        quiet[0].1.as_millis(),
    );
    let detected = *found.iter().max().unwrap() - at;
    let most = STALL + detected.max(settled.saturating_duration_since(at)) + quiet[0].1;
    assert!(quiet[1].1 <= most, "somebody was not heard for {:?}, more than {most:?}", quiet[1].1);
}

/// All that survivors said reached all of them, and so did all that any of them got from the dead.
fn finish(survivors: &[&Running], said: &[u64], dead: &[Arc<Running>]) {
    for (other, said) in survivors.iter().zip(said) {
        let origin = other.peer();
        for member in survivors.iter().filter(|m| m.peer() != origin) {
            member.until("all that survivors said", |state| (state.heard(&origin) >= *said).then_some(()));
        }
        other.until("what became of its lines", |state| (state.delivered == *said).then_some(()));
    }
    for origin in dead.iter().map(|m| m.peer()) {
        // Nobody says more of it: what the furthest one has, all get.
        let most = survivors.iter().map(|m| m.state(|state| state.heard(&origin))).max().unwrap();
        for member in survivors {
            member.until("all that the dead said", |state| (state.heard(&origin) >= most).then_some(()));
        }
    }
    survivors.iter().for_each(|m| m.end_input());
    survivors.iter().for_each(|m| m.leaves());
    let heard: Vec<check::Heard> = survivors.iter().map(|m| m.state(check::heard)).collect();
    for (other, said) in survivors.iter().zip(said) {
        let origin = other.peer();
        for heard in &heard {
            for (_, stream) in heard.iter().filter(|((o, _), _)| *o == origin) {
                check::exactly(stream, *said, |n| words(&other.name, n, LEN));
            }
        }
        let fates = other.state(|state| check::fates(state, |n| words(&other.name, n, LEN)));
        // Less those gone: everybody who is left has it.
        assert!(fates.iter().all(|(reached, of)| reached == of), "{fates:?}");
    }
    for member in dead {
        let of_dead = |heard: &check::Heard| {
            heard.iter().find(|((o, _), _)| *o == member.peer()).map(|(_, stream)| stream.clone()).unwrap()
        };
        let first = of_dead(&heard[0]);
        check::exactly(&first, first.len() as u64, |n| words(&member.name, n, LEN));
        for other in &heard {
            assert_eq!(of_dead(other).len(), first.len(), "survivors differ on what {} said", member.name);
        }
        // It was told that these were delivered to everybody.
        let told = member.state(|state| state.delivered);
        assert!(told <= first.len() as u64, "{told} of {} had been delivered", first.len());
    }
}

/// Members by their place in the list: on a ring, clockwise from the first one.
fn at(topology: &Value, places: &[usize]) -> Vec<String> {
    places.iter().map(|&at| topology["nodes"][at]["peer"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn one_on_a_ring() {
    kill(&Group::of("ring", Shape::Ring(1)), |topology| at(topology, &[3]));
}

#[test]
fn one_on_a_redundant_ring() {
    kill(&Group::of("redundant-ring", Shape::Ring(3)), |topology| at(topology, &[3]));
}

#[test]
fn two_neighbours_on_a_redundant_ring() {
    kill(&Group::of("redundant-ring", Shape::Ring(3)), |topology| at(topology, &[3, 4]));
}

fn leader(topology: &Value) -> Vec<String> {
    vec![topology["leader"].as_str().unwrap().to_owned()]
}

#[test]
fn the_leader_of_a_star() {
    kill(&Group::of("leader", Shape::Star), leader);
}

#[test]
fn the_leader_through_whom_all_goes() {
    let place = Place::new().set("topology.routing=\"leader\"");
    kill(&Group { place, ..Group::of("leader", Shape::Star) }, leader);
}

#[test]
fn one_in_a_mesh() {
    kill(&Group::of("mesh", Shape::Mesh), |topology| at(topology, &[3]));
}

#[test]
fn two_in_a_sparse_mesh() {
    let place = Place::new().set("topology.degree=3");
    kill(&Group { place, ..Group::of("mesh", Shape::Mesh) }, |topology| at(topology, &[3, 4]));
}
