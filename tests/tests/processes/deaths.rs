//! Members are killed while everybody talks.

use std::sync::Arc;
use std::time::Instant;

use tertulia_tests::program::ring::{self, ms};
use tertulia_tests::program::talk::{Talker, words};
use tertulia_tests::program::{Place, Running, check};

/// Lines that each one says in a second, and their length.
const PACE: u64 = 60;
const LEN: usize = 80;
/// Lines of a victim that are heard before it dies, and of each survivor after that.
const BEFORE: u64 = 50;
const AFTER: u64 = 50;

/// Kills the members that `choose` picks from the ring, clockwise from the first one.
fn kill(profile: &str, successors: usize, choose: &[usize]) {
    let place = Place::new();
    let all: Vec<Arc<Running>> =
        ring::group(&place, profile, 8, successors).into_iter().map(Arc::new).collect();
    let topology = all[0].ask("/topology", "topology");
    let victims: Vec<String> =
        choose.iter().map(|&at| topology["nodes"][at]["peer"].as_str().unwrap().to_owned()).collect();
    let (dead, alive): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|m| victims.contains(&m.peer()));
    let survivors: Vec<&Running> = alive.iter().map(|m| &**m).collect();

    let _dying: Vec<Talker> = dead.iter().map(|m| Talker::start(m, PACE, LEN)).collect();
    let talkers: Vec<Talker> = alive.iter().map(|m| Talker::start(m, PACE, LEN)).collect();
    for victim in &victims {
        alive[0].until("what victims say", |state| (state.heard(victim) >= BEFORE).then_some(()));
    }
    let at = Instant::now();
    // Both within a millisecond or two: nothing is repaired in between.
    let killed: Vec<Instant> = dead.iter().map(|member| member.kill()).collect();
    let apart = killed.last().unwrap().duration_since(at);
    let closed = ring::closed(&survivors, successors);
    let agreed = Instant::now();
    let mut found = Vec::new();
    for member in &survivors {
        found.extend(victims.iter().map(|victim| member.about(0, &["dead"], victim)));
    }
    let marks: Vec<u64> = talkers.iter().map(|t| t.said() + AFTER).collect();
    let said: Vec<u64> =
        talkers.into_iter().zip(marks).map(|(talker, mark)| talker.stop_after(mark)).collect();
    finish(&survivors, &said, &dead);
    println!(
        "{profile}, {} of 8 killed {apart:?} apart: declared dead after {} to {} ms, the ring closed after {} ms, all agree after {} ms",
        victims.len(),
        ms(*found.iter().min().unwrap(), at),
        ms(*found.iter().max().unwrap(), at),
        ms(closed, at),
        ms(agreed, at),
    );
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

#[test]
fn one_on_a_ring() {
    kill("ring", 1, &[3]);
}

#[test]
fn one_on_a_redundant_ring() {
    kill("redundant-ring", 3, &[3]);
}

#[test]
fn two_neighbours_on_a_redundant_ring() {
    kill("redundant-ring", 3, &[3, 4]);
}
