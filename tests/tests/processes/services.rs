//! The services that members find each other through are killed while everybody talks: nobody notices, and whoever was
//! there before comes back without them.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tertulia_tests::program::group::{NICKS, Shape, silence, whole};
use tertulia_tests::program::talk::{Talker, words};
use tertulia_tests::program::{Place, Running, Stutter, check};

/// Lines that each one says in a second, and their length.
const PACE: u64 = 60;
const LEN: usize = 80;
/// Lines of each that are heard before, between and after what is done to the services.
const LINES: u64 = 60;
/// Nobody is silent for longer than this beyond what is usual here.
const STALL: Duration = Duration::from_millis(250);

/// A profile whose members meet at services.
struct Town {
    profile: &'static str,
    /// The option that lists the services, and what each of them is called.
    list: &'static str,
    name: &'static str,
    services: usize,
    shape: Shape,
}

impl Town {
    /// Everything in this town knows where its services are.
    fn place(&self) -> (Place, String) {
        let free = |_| TcpListener::bind("127.0.0.1:0").unwrap();
        let held: Vec<TcpListener> = (0..self.services).map(free).collect();
        let at: Vec<String> = held.iter().map(|at| at.local_addr().unwrap().to_string()).collect();
        let list = format!("discovery.{}={at:?}", self.list);
        (Place::new().set(&list), list)
    }

    fn serve(&self, place: &Place, list: &str, n: usize) -> Running {
        let name = format!("{}-{n}", self.name);
        let service = place.program("tertulia", &name, &["serve", self.profile, "--only", &name]);
        let service = service.set(list).start();
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

fn services_die(town: &Town) {
    let (place, list) = town.place();
    let mut services: Vec<Running> = (0..town.services).map(|n| town.serve(&place, &list, n)).collect();
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
    services.remove(0).kill();
    let one = talk_on(&all, &talkers);
    for service in &services {
        service.kill();
    }
    let none = talk_on(&all, &talkers);
    let members: Vec<&Running> = all.iter().map(|m| &**m).collect();
    let [control, fewer, without] =
        [(from, begin), (begin, one), (one, none)].map(|(since, until)| silence(&members, since, until));
    println!(
        "{}, one of {} {} services killed under 8 talking members: nobody heard nothing for more than {} ms, and of one \
         other for {} ms; the rest killed: {} and {} ms; before: {} and {} ms",
        town.profile,
        town.services,
        town.name,
        fewer.0.as_millis(),
        fewer.1.as_millis(),
        without.0.as_millis(),
        without.1.as_millis(),
        control.0.as_millis(),
        control.1.as_millis(),
    );

    // With every service down whoever was there comes back, by the addresses that it keeps.
    let said: Vec<u64> = talkers.into_iter().map(|talker| talker.stop_after(0)).collect();
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
    println!("{}: killed, back and heard by all after {} ms", town.profile, died.elapsed().as_millis());

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
    let most = STALL.max(control.1 * 2) + stutter.longest();
    assert!(fewer.1.max(without.1) <= most, "somebody was not heard for more than {most:?}");
}

#[test]
fn seeds() {
    services_die(&Town { profile: "gossip", list: "seeds", name: "seed", services: 4, shape: Shape::Mesh });
}

#[test]
fn the_proxy() {
    services_die(&Town {
        profile: "leader",
        list: "proxies",
        name: "proxy",
        services: 1,
        shape: Shape::Star,
    });
}
