//! The services that members find each other through are killed while everybody talks: nobody notices, and whoever was
//! there before comes back without them.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tertulia_tests::program::group::{NICKS, Shape, silence, whole};
use tertulia_tests::program::talk::{Talker, words};
use tertulia_tests::program::{Event, Place, Running, Stutter, check};

/// Lines that each one says in a second, and their length.
const PACE: u64 = 60;
const LEN: usize = 80;
/// Lines of each that are heard before, between and after what is done to the services.
const LINES: u64 = 60;
/// Nobody is silent for longer than this beyond what is usual here.
const STALL: Duration = Duration::from_millis(250);
/// However busy the machine is: a group that stands still for so long waits for a service.
const CEILING: Duration = Duration::from_secs(2);
/// Whoever comes back without any service is heard by all after so long.
const BACK: Duration = Duration::from_secs(5);

/// A profile whose members meet at services.
struct Town {
    profile: &'static str,
    /// What each of them is called, in the order in which they are started and killed.
    services: &'static [&'static str],
    /// What everything in this town is told, once it is known where they are.
    sets: fn(&[String]) -> Vec<String>,
    shape: Shape,
}

impl Town {
    /// Addresses for the services, which nothing else has.
    fn sets(&self) -> Vec<String> {
        let free = |_: &&str| TcpListener::bind("127.0.0.1:0").unwrap();
        let held: Vec<TcpListener> = self.services.iter().map(free).collect();
        let at: Vec<String> = held.iter().map(|at| at.local_addr().unwrap().to_string()).collect();
        (self.sets)(&at)
    }

    fn serve(&self, place: &Place, sets: &[String], name: &str) -> Running {
        let service = place.program("tertulia", name, &["serve", self.profile, "--only", name]);
        let service = sets.iter().fold(service, |service, set| service.set(set)).start();
        service.named("ready");
        service
    }
}

/// Everybody has heard so many more lines of each other one.
fn talk_on(members: &[Arc<Running>], talkers: &[Talker]) -> Instant {
    let marks: Vec<u64> = talkers.iter().map(|t| t.said() + LINES).collect();
    for (other, mark) in members.iter().zip(marks) {
        let origin = other.peer();
        for member in members.iter().filter(|m| m.peer() != origin) {
            member.until("the talk", |state| (state.heard(&origin) >= mark).then_some(()));
        }
    }
    Instant::now()
}

fn services_die(town: &Town, place: Place) {
    let sets = town.sets();
    let services: Vec<Running> = town.services.iter().map(|name| town.serve(&place, &sets, name)).collect();
    let place = sets.iter().fold(place, |place, set| place.set(set));
    let start = |nick: &str| place.chat(town.profile, nick).start();
    let first = start(NICKS[0]);
    first.peer();
    let mut all = vec![first];
    all.extend(NICKS[1..].iter().map(|nick| start(nick)));
    let members: Vec<&Running> = all.iter().collect();
    whole(&members);
    town.shape.settled(&members);

    let mut all: Vec<Arc<Running>> = all.into_iter().map(Arc::new).collect();
    let talkers: Vec<Talker> = all.iter().map(|m| Talker::start(m, PACE, LEN)).collect();
    let stutter = Stutter::start();
    let from = talk_on(&all, &talkers);
    let begin = talk_on(&all, &talkers);
    let ends: Vec<Instant> = services
        .iter()
        .map(|service| {
            service.kill();
            talk_on(&all, &talkers)
        })
        .collect();
    let members: Vec<&Running> = all.iter().map(|m| &**m).collect();
    let control = silence(&members, from, begin);
    let starts = [begin].into_iter().chain(ends.iter().copied());
    let without: Vec<(Duration, Duration)> =
        starts.zip(&ends).map(|(since, until)| silence(&members, since, *until)).collect();
    for (name, (nothing, other)) in town.services.iter().zip(&without) {
        println!(
            "{}, {name} killed under 8 talking members: nobody heard nothing for more than {} ms, and of one other for \
             {} ms; before: {} and {} ms; this test itself did not run for {} ms",
            town.profile,
            nothing.as_millis(),
            other.as_millis(),
            control.0.as_millis(),
            control.1.as_millis(),
            stutter.longest().as_millis(),
        );
    }

    // With every service down whoever was there comes back, by the addresses that it keeps.
    let mut said: Vec<u64> = talkers.into_iter().map(|talker| talker.stop_after(0)).collect();
    for (other, said) in all.iter().zip(&said) {
        let origin = other.peer();
        for member in all.iter().filter(|m| m.peer() != origin) {
            member.until("all that was said", |state| (state.heard(&origin) >= *said).then_some(()));
        }
        other.until("what became of its lines", |state| (state.delivered == *said).then_some(()));
    }
    let (last, said_last) = (all.pop().unwrap(), said[NICKS.len() - 1]);
    let peer = last.peer();
    let died = last.kill();
    let back = start(&last.name);
    assert_eq!(back.peer(), peer, "another key");
    back.say("here again");
    for member in &all {
        member.until("the one that came back", |state| (state.heard(&peer) > said_last).then_some(()));
    }
    let took = died.elapsed();
    println!("{}: killed, back and heard by all after {} ms", town.profile, took.as_millis());
    assert!(took <= BACK + stutter.longest(), "back after {took:?}");
    // It hears the others as well.
    said[0] += 1;
    let answer = words(&all[0].name, said[0], LEN);
    all[0].say(&answer);
    back.event("an answer", |e| matches!(e, Event::Message(m) if *m.text == *answer).then_some(()));
    all[0].until("what became of its answer", |state| (state.delivered == said[0]).then_some(()));

    all.iter().for_each(|member| member.end_input());
    for (member, own) in all.iter().zip(&said) {
        // It may have warned that no service answers.
        member.has_left();
        let heard = member.state(check::heard);
        for (other, said) in all.iter().zip(&said).filter(|(m, _)| m.peer() != member.peer()) {
            let (_, stream) = heard.iter().find(|((origin, _), _)| *origin == other.peer()).unwrap();
            check::exactly(stream, *said, |n| words(&other.name, n, LEN));
        }
        let fates = member.state(|state| check::fates(state, |n| words(&member.name, n, LEN)));
        assert_eq!(fates.len() as u64, *own);
        assert!(fates.iter().all(|fate| *fate == (7, 7)), "{fates:?}");
    }
    back.has_left();
    // A machine that has too much to do makes pauses of its own, also before anything is killed.
    let most = (STALL.max(control.1 * 2) + stutter.longest()).min(CEILING);
    for (name, (_, longest)) in town.services.iter().zip(&without) {
        assert!(
            *longest <= most,
            "without {name} somebody was not heard for {longest:?}, more than {most:?}"
        );
    }
}

#[test]
fn seeds() {
    let town = Town {
        profile: "gossip",
        services: &["seed-0", "seed-1", "seed-2", "seed-3"],
        sets: |at| vec![format!("discovery.seeds={at:?}")],
        shape: Shape::Mesh,
    };
    services_die(&town, Place::new());
}

#[test]
fn the_proxy() {
    let town = Town {
        profile: "leader",
        services: &["proxy-0"],
        sets: |at| vec![format!("discovery.proxies={at:?}")],
        shape: Shape::Star,
    };
    services_die(&town, Place::new());
}

#[test]
fn the_key_manager_and_the_proxy() {
    let town = Town {
        profile: "leader",
        services: &["keys-0", "proxy-0"],
        sets: |at| {
            let [keys, proxy] = at else { panic!("{at:?}") };
            vec![
                format!("crypto.keys.manager={keys}"),
                "crypto.keys.public_key=manager.pub.pem".to_owned(),
                format!("discovery.proxies=[{proxy:?}]"),
            ]
        },
        shape: Shape::Star,
    };
    let place = Place::new();
    let made = place.run("leader-chat", &["keys", "generate"], &[]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    services_die(&town, place);
}
