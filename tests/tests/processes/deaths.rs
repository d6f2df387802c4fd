//! Members are killed while everybody talks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tertulia_tests::program::group::{self, Shape, ms, silence, told};
use tertulia_tests::program::kinds::{self, Kind};
use tertulia_tests::program::talk::{Talker, words};
use tertulia_tests::program::{Running, Stutter, check};
use tertulia_topologies::leader_star;

/// Lines that each one says in a second, and their length.
const PACE: u64 = 60;
const LEN: usize = 80;
/// Lines of a victim that are heard before it dies, and of each survivor after that.
const BEFORE: u64 = 50;
const AFTER: u64 = 50;
/// Nobody is silent for longer than this and the time until a death is found and mended; nor does word of it travel for
/// longer.
const STALL: Duration = Duration::from_millis(250);

/// How long it may take, once a death is found, until the others agree on what follows from it.
fn mended_within(shape: Shape) -> Duration {
    match shape {
        Shape::Ring(_) | Shape::Mesh => STALL,
        // A leader is missed after at most twice its time-out, and then elected in a few round trips.
        Shape::Star => STALL + leader_star::Config::default().timeout.0 * 2,
    }
}

/// Kills the members that `choose` picks from what `/topology` says.
fn kill(kind: Kind, choose: impl Fn(&Value) -> Vec<String>) {
    let place = kind.place();
    let all: Vec<Arc<Running>> =
        group::group(&place, kind.profile, 8, kind.shape).into_iter().map(Arc::new).collect();
    let victims = choose(&all[0].ask("/topology", "topology"));
    let (dead, alive): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|m| victims.contains(&m.peer()));
    let survivors: Vec<&Running> = alive.iter().map(|m| &**m).collect();

    let _dying: Vec<Talker> = dead.iter().map(|m| Talker::start(m, PACE, LEN)).collect();
    let talkers: Vec<Talker> = alive.iter().map(|m| Talker::start(m, PACE, LEN)).collect();
    let stutter = Stutter::start();
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
    let settled = kind.shape.settled(&survivors);
    let found: Vec<(Instant, Instant)> =
        victims.iter().map(|victim| told(&survivors, "dead", victim, at)).collect();
    let found = (found.iter().map(|f| f.0).min().unwrap(), found.iter().map(|f| f.1).max().unwrap());
    let marks: Vec<u64> = talkers.iter().map(|t| t.said() + AFTER).collect();
    let said: Vec<u64> =
        talkers.into_iter().zip(marks).map(|(talker, mark)| talker.stop_after(mark)).collect();
    let stopped = Instant::now();
    finish(&survivors, &said, &dead);
    let quiet = [(control, at), (at, stopped)].map(|(since, until)| silence(&survivors, since, until));
    println!(
        "{}, {} of 8 killed {apart:?} apart: declared dead after {} to {} ms, settled after {} ms; nothing heard for {} ms \
         at most ({} ms before anybody died), nothing of one other for {} ms ({} ms); this test itself did not run for {} ms",
        kind.name,
        victims.len(),
        ms(found.0, at),
        ms(found.1, at),
        ms(settled, at),
        quiet[1].0.as_millis(),
        quiet[0].0.as_millis(),
        quiet[1].1.as_millis(),
        quiet[0].1.as_millis(),
        stutter.longest().as_millis(),
    );
    let (detected, slack) = (found.1 - at, STALL + apart + stutter.longest());
    let most = kind.killed_dead_within() + slack;
    assert!(detected <= most, "declared dead after {detected:?}, more than {most:?}");
    let (mended, most) = (settled.saturating_duration_since(at), most + mended_within(kind.shape));
    assert!(mended <= most, "settled after {mended:?}, more than {most:?}");
    let most = detected.max(mended) + STALL.max(quiet[0].1) + stutter.longest();
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

fn leader(topology: &Value) -> Vec<String> {
    vec![topology["leader"].as_str().unwrap().to_owned()]
}

#[test]
fn one_on_a_ring() {
    kill(kinds::RING, |topology| at(topology, &[3]));
}

#[test]
fn one_on_a_redundant_ring() {
    kill(kinds::REDUNDANT_RING, |topology| at(topology, &[3]));
}

#[test]
fn two_neighbours_on_a_redundant_ring() {
    kill(kinds::REDUNDANT_RING, |topology| at(topology, &[3, 4]));
}

#[test]
fn the_leader_of_a_star() {
    kill(kinds::LEADER, leader);
}

#[test]
fn the_leader_through_whom_all_goes() {
    kill(kinds::THROUGH_LEADER, leader);
}

#[test]
fn one_in_a_mesh() {
    kill(kinds::MESH, |topology| at(topology, &[3]));
}

#[test]
fn two_in_a_mesh_of_small_views() {
    kill(kinds::ACTIVE, |topology| at(topology, &[3, 4]));
}

#[test]
fn two_in_a_mesh_of_picks() {
    kill(kinds::PICK, |topology| at(topology, &[3, 4]));
}
