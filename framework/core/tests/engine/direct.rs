//! Direct messages keep their numbers, whatever becomes of the recipient.

use std::time::Duration;

use super::net::{Net, id_of};
use tertulia_core::engine::api::Event;

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// The numbers of the direct messages that a node got, in order.
fn numbers(net: &Net, n: usize) -> Vec<u64> {
    net.nodes[n].got.iter().filter(|g| g.2).map(|g| g.1).collect()
}

fn undeliverable(net: &Net, n: usize) -> Vec<(u64, u64)> {
    let told = net.nodes[n].events.iter();
    told.filter_map(|(_, e)| match e {
        Event::Undeliverable { from_seq, to_seq, .. } => Some((*from_seq, *to_seq)),
        _ => None,
    })
    .collect()
}

#[test]
fn what_was_sent_to_nobody_known_keeps_its_number() {
    let mut net = Net::group(2);
    net.say(0, Some(2), "nobody is there yet");
    net.say(0, Some(2), "still nobody");
    net.add(1, "n2", false);
    net.input(2, tertulia_core::engine::api::Input::Join(vec!["test://1".into()]));
    net.run(secs(2));
    net.say(0, Some(2), "hello");
    net.run(secs(2));
    assert_eq!(undeliverable(&net, 0), [(1, 1), (2, 2)]);
    assert_eq!(numbers(&net, 2), [3]);
}

#[test]
fn numbers_go_on_after_a_peer_was_forgotten() {
    let mut net = Net::group(3);
    net.say(0, Some(1), "one");
    net.say(1, Some(0), "one");
    net.run(secs(1));
    net.cut = Box::new(|a, b| (a == 0) != (b == 0));
    // Longer than `roster.forget`.
    net.run(secs(2 * 3600));
    assert!(net.nodes[0].engine.peers().find(&id_of(1)).is_none(), "forgotten");
    net.say(0, Some(1), "lost");
    net.cut = Box::new(|_, _| false);
    net.run(secs(600));
    net.say(0, Some(1), "three");
    net.say(1, Some(0), "two");
    net.run(secs(5));
    assert_eq!(undeliverable(&net, 0), [(2, 2)]);
    assert_eq!((numbers(&net, 1), numbers(&net, 0)), (vec![1, 3], vec![1, 2]));
}
