//! A conversation in which much is said.

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
        .topology(ring::build(ring::Config::default()))
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
    assert_eq!(outcome, Outcome::Left);
    let text = output_end.await.unwrap();
    let events: Vec<&str> = text.lines().collect();
    let count =
        |events: &[&str]| events.iter().filter(|e| e.starts_with("{\"event\":\"message\"")).count() as u64;
    assert_eq!(count(&events), BURSTS * BURST);
    let sent = events.iter().position(|e| e.starts_with("{\"event\":\"sent\"")).unwrap();
    let before = count(&events[..sent]);
    assert!(before <= 5 * BURST, "{before} messages were told first");
}
