//! One member of eight is frozen while the others talk: nobody else stalls, nothing is lost, and it catches up.
//!
//! In a test program of its own, so that no other test takes the machine away while pauses are measured. One topology is
//! enough for every day; `TERTULIA_FROZEN_PROFILE=all` takes them all one after another, or one of them by its name:
//! `ring`, `redundant-ring`, `mesh`, `mesh-active`, `mesh-pick`, `leader` or `leader-routed`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail it")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tertulia_tests::program::group::{self, ms};
use tertulia_tests::program::kinds::{Kind, frozen_dead_within, suspected_within};
use tertulia_tests::program::talk::{Talker, words};
use tertulia_tests::program::{Running, Signal, Stutter, check, parameter};

/// The longest pause between two deliveries at anybody who is not frozen.
const STALL: Duration = Duration::from_millis(250);
/// The frozen one has all that was said in the meantime after so long.
const CATCH_UP: Duration = Duration::from_secs(20);
/// Seconds that are looked at before.
const CONTROL: u64 = 4;
/// Bytes of a line.
const LEN: usize = 256;
/// Lines that the frozen one says afterwards.
const AGAIN: u64 = 20;

#[test]
fn one_of_eight_is_frozen() {
    let name = std::env::var("TERTULIA_FROZEN_PROFILE").unwrap_or_else(|_| "redundant-ring".into());
    Kind::named(&name).into_iter().for_each(freeze);
}

fn freeze(kind: Kind) {
    let seconds = parameter("TERTULIA_FROZEN_SECONDS", 20);
    let rate = parameter("TERTULIA_FROZEN_RATE", 2000);
    assert!(seconds > frozen_dead_within().as_secs(), "too short to be declared dead");
    let place = kind.place();
    let all: Vec<Arc<Running>> =
        group::group(&place, kind.profile, 8, kind.shape).into_iter().map(Arc::new).collect();
    let (frozen, others) = (&all[3], [&all[..3], &all[4..]].concat());
    let stutter = Stutter::start();
    let began = Instant::now();
    let talkers: Vec<Talker> = others.iter().map(|m| Talker::start(m, rate.div_ceil(7), LEN)).collect();
    // Everybody is in the middle of it; some seconds show what this machine can do while nobody is frozen.
    let everybody_heard = |count: u64| {
        for member in &all {
            member.until("the talk", |state| (state.heard.values().sum::<u64>() >= count).then_some(()));
        }
        Instant::now()
    };
    let (before, _) = (everybody_heard(rate / 2), everybody_heard(rate * CONTROL));

    let start = Instant::now();
    frozen.signal(Signal::STOP);
    // This is not waiting for luck: the time is what is tested.
    std::thread::sleep(Duration::from_secs(seconds));
    let end = Instant::now();
    frozen.signal(Signal::CONT);
    let paused = talkers.iter().map(Talker::pause).max().unwrap();
    let said: Vec<u64> = talkers.into_iter().map(|talker| talker.stop_after(0)).collect();
    let stopped = Instant::now();

    // Whoever was awake has everything soon.
    for (at, other) in others.iter().enumerate() {
        let origin = other.peer();
        for member in others.iter().filter(|m| m.peer() != origin) {
            member.until("what the others said", |state| (state.heard(&origin) >= said[at]).then_some(()));
        }
    }
    let rest = stopped.elapsed();
    for (at, other) in others.iter().enumerate() {
        let origin = other.peer();
        frozen.within(CATCH_UP.saturating_sub(stopped.elapsed()), "what it missed", |state| {
            (state.heard(&origin) >= said[at]).then_some(())
        });
    }
    let caught_up = frozen.state(|state| state.named("message").next_back().unwrap().at);
    let lines: String = (1..=AGAIN).map(|n| words(&frozen.name, n, LEN) + "\n").collect();
    assert!(frozen.types(lines.as_bytes()));
    let origin = frozen.peer();
    for member in &others {
        member.until("what the frozen one says", |state| (state.heard(&origin) >= AGAIN).then_some(()));
    }

    let awake: Vec<&Running> = others.iter().map(|m| &**m).collect();
    let control = group::silence(&awake, before, start);
    let (longest, quietest) = group::silence(&awake, start, end);
    let total: u64 = said.iter().sum();
    let [suspected, dead] = ["suspect", "dead"].map(|name| group::told(&awake, name, &origin, start));
    println!(
        "{}: frozen, suspected after {} to {} ms, declared dead after {} to {} ms",
        kind.name,
        ms(suspected.0, start),
        ms(suspected.1, start),
        ms(dead.0, start),
        ms(dead.1, start),
    );
    println!(
        "{}: one of 8 frozen for {seconds} s under {} messages/s of {LEN} B: longest pause at the others {} ms, \
         and {} ms between two messages of one origin ({} and {} ms while nobody was frozen; this test \
         itself did not run for {} ms, and did not talk for {} ms), all of {total} there {} ms after the last was said, the frozen one \
         caught up {} ms after it went on",
        kind.name,
        u128::from(total) * 1000 / (stopped - began).as_millis(),
        longest.as_millis(),
        quietest.as_millis(),
        control.0.as_millis(),
        control.1.as_millis(),
        stutter.longest().as_millis(),
        paused.as_millis(),
        rest.as_millis(),
        ms(caught_up, end),
    );
    finish(&all, &said, frozen);
    // Word of it is everywhere soon after the first one knows.
    for (what, at, within) in
        [("suspected", suspected.1, suspected_within()), ("dead", dead.1, frozen_dead_within())]
    {
        let (took, most) = (at - start, within + STALL + stutter.longest());
        assert!(took <= most, "{what} after {took:?}, more than {most:?}");
    }
    // A machine that has too much to do makes pauses of its own, also while nobody is frozen. However busy it is: a group
    // that stands still until the frozen one is found, and longer, waits for it.
    let ceiling = STALL + (suspected.1 - start);
    let most = (STALL.max(control.0 * 2) + stutter.longest()).min(ceiling);
    assert!(longest <= most, "somebody heard nothing for {longest:?}, more than {most:?}");
    let most = (STALL.max(control.1 * 2) + stutter.longest() + paused).min(ceiling);
    let most = if kind.has_trees() { ceiling } else { most };
    assert!(quietest <= most, "somebody was not heard for {quietest:?}, more than {most:?}");
}

/// Everything once and in order at everybody, no gap, and each line's fate told once.
fn finish(all: &[Arc<Running>], said: &[u64], frozen: &Running) {
    let mut said = said.iter().copied();
    let talks: Vec<(String, String, u64)> = all
        .iter()
        .map(|m| {
            let count = if m.name == frozen.name { AGAIN } else { said.next().unwrap() };
            (m.peer(), m.name.clone(), count)
        })
        .collect();
    for (member, (_, _, count)) in all.iter().zip(&talks) {
        member.until("what became of its lines", |state| (state.delivered == *count).then_some(()));
    }
    all.iter().for_each(|m| m.end_input());
    for (member, (me, name, _)) in all.iter().zip(&talks) {
        member.leaves();
        let heard = member.state(check::heard);
        for (peer, nick, count) in talks.iter().filter(|(peer, ..)| peer != me) {
            let (_, stream) = heard.iter().find(|((origin, _), _)| origin == peer).unwrap();
            check::exactly(stream, *count, |n| words(nick, n, LEN));
        }
        let _told = member.state(|state| check::fates(state, |n| words(name, n, LEN)));
    }
}
