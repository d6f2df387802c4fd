//! Members that are not let in, and those who wait in vain.

use std::net::TcpListener;
use std::time::Duration;

use tertulia_tests::program::{Event, Place, Running, group};

/// Waits until it was refused for this reason and ended with status 1; nothing else is complained about.
fn refused(member: &Running, code: &str) {
    assert_eq!(member.exit(), 1);
    let refusals: Vec<Event> = member.state(|s| s.named("refused").map(|s| s.event.clone()).collect());
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!(refusals[0].field("code"), code, "{refusals:?}");
    assert!(!refusals[0].field("reason").is_empty() && !refusals[0].field("hint").is_empty(), "{refusals:?}");
    member.state(|state| {
        assert_eq!(state.named("ready").count(), 0);
        assert!(!state.stderr.contains("panicked"), "{}", state.stderr);
    });
}

#[test]
fn a_wrong_secret() {
    let place = Place::new();
    let ana = place.chat("ring", "ana").set("group.secret=the right words to say").found().start();
    let addr = ana.addr();
    let eva = place.chat("ring", "eva").set("group.secret=some other words of hers").join(&addr).start();
    refused(&eva, "wrong-secret");
    // The name is a part of it.
    let eva = place.chat("ring", "eva").set("group.secret=the right words to say").set("group.name=others");
    refused(&eva.join(&addr).start(), "wrong-secret");
    // Whoever knows it gets in, and nobody else was ever there.
    let ben = place.chat("ring", "ben").set("group.secret=the right words to say").join(&addr).start();
    group::whole(&[&ana, &ben]);
    assert!(ana.state(|s| s.named("joined").all(|s| s.event.field("nick") == "ben")));
}

#[test]
fn nicks_that_are_taken() {
    let place = Place::new();
    let ana = place.chat("ring", "ana").found().start();
    let addr = ana.addr();
    let again = place.bare("second ana").arg("--nick").arg("ana").join(&addr).start();
    refused(&again, "nick-taken");
    // Nobody asked for these: each one gets another.
    let nemos: Vec<Running> = (0..3).map(|n| place.bare(&format!("nemo {n}")).join(&addr).start()).collect();
    let mut nicks: Vec<String> =
        nemos.iter().map(|m| m.named("ready")["nick"].as_str().unwrap().to_owned()).collect();
    nicks.sort();
    nicks.dedup();
    assert_eq!(nicks.len(), 3, "{nicks:?}");
    assert!(nicks.iter().all(|nick| nick.starts_with("nemo")) && nicks[0] == "nemo", "{nicks:?}");
    let all: Vec<&Running> = std::iter::once(&ana).chain(&nemos).collect();
    group::whole(&all);
    for member in all {
        let answer = member.ask("/peers", "members");
        let mut seen: Vec<_> =
            answer["members"].as_array().unwrap().iter().map(|m| m["nick"].as_str().unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen[1..], nicks, "{} knows others", member.name);
    }
}

#[test]
fn nobody_to_be_reached() {
    // Bound and never accepted from; and a port where nobody listens.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = Place::new();
    let start = std::time::Instant::now();
    let eva = place
        .chat("ring", "eva")
        .join(&closed.to_string())
        .join(&deaf.local_addr().unwrap().to_string())
        .start();
    refused(&eva, "unreachable");
    let took = start.elapsed();
    let errors: Vec<Duration> = eva.state(|s| s.named("error").map(|s| s.at.duration_since(start)).collect());
    assert!((5..=6).contains(&errors.len()), "{errors:?}");
    assert!(took >= Duration::from_secs(29) && took < Duration::from_secs(40), "{took:?}");
    let mut last = Duration::ZERO;
    for at in errors {
        let pause = (at - last).as_secs_f64();
        assert!((4.0..7.0).contains(&pause), "{pause} s between two complaints");
        last = at;
    }
}

#[test]
fn a_data_directory_that_is_taken() {
    let place = Place::new();
    let ana = place.chat("ring", "ana").found().start();
    ana.peer();
    let folder = place.data("ana");
    let second = place.run("tertulia", &["chat", "--json", "--data-dir", folder.to_str().unwrap()], &[]);
    assert_eq!((second.status, second.stdout.as_str()), (2, ""));
    assert!(second.stderr.contains("another running member uses this data directory"), "{}", second.stderr);
    assert_eq!(second.stderr.lines().count(), 1);
}
