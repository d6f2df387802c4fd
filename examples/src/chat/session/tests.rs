//! A conversation in which much is said, and its ends.

use std::sync::Arc;
use std::time::Duration;

use tertulia::bus::{Builder, Filter};
use tertulia::crypto::{GroupKey, GroupSecret, plain};
use tertulia_core::message::Room;
use tertulia_topologies::ring;
use tertulia_transports::memory;
use tokio::io::AsyncReadExt;

use super::*;

/// Bursts that wait to be told, and messages of each.
const BURSTS: u64 = 40;
const BURST: u64 = 10;

fn member(hub: &memory::Hub, nick: &str) -> Builder {
    let key = GroupKey::new("test", &GroupSecret::from_bytes([1; 32])).unwrap();
    Node::builder()
        .group(Arc::new(key))
        .topology(ring::build(ring::Config::default()).unwrap())
        .transport(memory::build(&memory::Config::default(), hub))
        .crypto(plain::build(&plain::Config::default()))
        .nick(nick)
        .listen("")
}

/// However much is to be told first, what was typed is said meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_typed_line_has_its_turn() {
    let hub = memory::Hub::default();
    let ana = member(&hub, "ana").found().start().await.unwrap();
    let builder = member(&hub, "ben").join([ana.addr().to_string()]);
    let feed = builder.feed(Filter::all(), 1 << 16);
    let mut heard = builder.subscribe(Filter::all());
    let mut events = builder.events(1 << 10);
    let ben = builder.start().await.unwrap();
    let wait = async {
        while !matches!(events.next().await, Some(Notice::Event(Event::Ready { .. }))) {}
        let mut got = 0;
        for _ in 0..BURSTS {
            for _ in 0..BURST {
                got += 1;
                ana.publish(&Room::default(), TEXT, format!("line {got}").as_bytes()).await.unwrap();
            }
            let mut told = 0;
            while told < BURST {
                told += heard.next().await.unwrap().messages().count() as u64;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap();

    // All of it waits in the feed now, and so does a line.
    let (typed, lines) = mpsc::channel(1);
    typed.send(Ok("me too".to_owned())).await.unwrap();
    drop(typed);
    let (pipe, mut output) = tokio::io::duplex(1 << 22);
    let output_end = tokio::spawn(async move {
        let mut text = String::new();
        output.read_to_string(&mut text).await.unwrap();
        text
    });
    let names = ("ring".to_owned(), "test".to_owned());
    let session = Session::new(ben, feed, lines, Signals::new().unwrap(), Output::to(true, pipe), names);
    let outcome = tokio::time::timeout(Duration::from_secs(60), session.run()).await.unwrap();
    assert_eq!(outcome, Ended::Over(Outcome::Left));
    let text = output_end.await.unwrap();
    let events: Vec<&str> = text.lines().collect();
    let count =
        |events: &[&str]| events.iter().filter(|e| e.starts_with("{\"event\":\"message\"")).count() as u64;
    assert_eq!(count(&events), BURSTS * BURST);
    let sent = events.iter().position(|e| e.starts_with("{\"event\":\"sent\"")).unwrap();
    let before = count(&events[..sent]);
    assert!(before <= 5 * BURST, "{before} messages were told first");
}

/// A conversation of a lone member, and what it tells.
async fn alone(
    lines: mpsc::Receiver<Typed>,
    signals: Signals,
    room: usize,
) -> (Session, tokio::io::DuplexStream) {
    let builder = member(&memory::Hub::default(), "ana").found();
    let feed = builder.feed(Filter::all(), 1 << 10);
    let node = builder.start().await.unwrap();
    let (pipe, output) = tokio::io::duplex(room);
    let names = ("ring".to_owned(), "test".to_owned());
    (Session::new(node, feed, lines, signals, Output::to(true, pipe), names), output)
}

/// Runs it to its end: how it ended, and all that it told.
async fn ended(session: Session, mut output: tokio::io::DuplexStream) -> (Ended, String) {
    let run = tokio::time::timeout(Duration::from_secs(60), session.run());
    let mut text = String::new();
    let (outcome, read) = tokio::join!(run, output.read_to_string(&mut text));
    read.unwrap();
    (outcome.unwrap(), text)
}

/// Nobody takes what is told, and still a signal ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_heard_while_nobody_reads() {
    let (_typed, lines) = mpsc::channel(1);
    let (asks, signals) = Signals::channel();
    let (session, output) = alone(lines, signals, 16).await;
    asks.try_send(()).unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(60), session.run()).await;
    assert_eq!(outcome, Ok(Ended::Over(Outcome::Left)));
    drop(output);
}

/// The end of input was no signal: the first one is no reason to hurry, the second one is.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_second_signal_is_asking_again() {
    for (signalled, expected) in [(1, Ended::Over(Outcome::Left)), (2, Ended::AtOnce)] {
        let (_typed, lines) = mpsc::channel(1);
        let (asks, signals) = Signals::channel();
        let (mut session, output) = alone(lines, signals, 1 << 20).await;
        session.leave();
        (0..signalled).for_each(|_| asks.try_send(()).unwrap());
        let (outcome, text) = ended(session, output).await;
        assert_eq!(outcome, expected, "{text}");
    }
}

/// What is to be told is told, however hurried the end is.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_unknown_fate_are_told() {
    let (_typed, lines) = mpsc::channel(1);
    let (asks, signals) = Signals::channel();
    let (mut session, output) = alone(lines, signals, 1 << 20).await;
    let id =
        MessageId { origin: session.node.id(), incarnation: session.node.incarnation(), to: None, seq: 1 };
    session.sent.add(&id);
    (0..2).for_each(|_| asks.try_send(()).unwrap());
    let (outcome, text) = ended(session, output).await;
    assert_eq!(outcome, Ended::Over(Outcome::LeftEarly));
    let fate = format!("{{\"event\":\"delivered\",\"id\":\"{id}\",\"of\":1,\"reached\":0}}");
    assert!(text.lines().any(|line| line == fate), "{text}");
    assert_eq!(text.matches("\"code\":\"undelivered\"").count(), 1, "{text}");
}

/// Whoever is alone has reached everybody.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_nobody_missed() {
    let (typed, lines) = mpsc::channel(1);
    typed.send(Ok("hello".to_owned())).await.unwrap();
    drop(typed);
    let (_asks, signals) = Signals::channel();
    let (session, output) = alone(lines, signals, 1 << 20).await;
    let (outcome, text) = ended(session, output).await;
    assert_eq!(outcome, Ended::Over(Outcome::Left));
    assert!(text.contains("\"of\":0,\"reached\":0"), "{text}");
    assert!(!text.contains("\"event\":\"error\""), "{text}");
}

/// Somebody who is not let in can leave, and is told of what was not sent. What was said before the wish to leave has its
/// chance, unless the wish is repeated.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_while_joining() {
    for (lines, unsent) in [(&["/quit"][..], false), (&["hello", "/quit", "$exit"], true)] {
        let builder = member(&memory::Hub::default(), "ana").join(["memory://nobody"]);
        let feed = builder.feed(Filter::all(), 1 << 10);
        let node = builder.start().await.unwrap();
        let (pipe, output) = tokio::io::duplex(1 << 20);
        let (typed, typing) = mpsc::channel(8);
        lines.iter().for_each(|line| typed.try_send(Ok((*line).to_owned())).unwrap());
        let (_asks, signals) = Signals::channel();
        let names = ("ring".to_owned(), "test".to_owned());
        let session = Session::new(node, feed, typing, signals, Output::to(true, pipe), names);
        // Far less than joining goes on.
        let told = tokio::time::timeout(Duration::from_secs(4), ended(session, output)).await;
        let (outcome, text) = told.unwrap();
        assert_eq!(outcome, Ended::Over(Outcome::Left), "{text}");
        assert_eq!(text.contains("\"code\":\"not-sent\""), unsent, "{text}");
    }
}

/// What is typed while joining is said once this node is a member, in order.
#[tokio::test(flavor = "multi_thread")]
async fn lines_typed_early_are_said() {
    let (typed, lines) = mpsc::channel(8);
    for line in ["one", "two", "/msg ana three", "/quit"] {
        typed.try_send(Ok(line.to_owned())).unwrap();
    }
    let (_asks, signals) = Signals::channel();
    let (session, output) = alone(lines, signals, 1 << 20).await;
    let (outcome, text) = ended(session, output).await;
    assert_eq!(outcome, Ended::Over(Outcome::Left));
    let told: Vec<&str> = text.lines().filter(|l| l.starts_with("{\"event\":\"sent\"")).collect();
    assert!(matches!(&told[..], [a, b] if a.contains("one") && b.contains("two")), "{text}");
    assert!(text.contains("ana is you"), "{text}");
}
