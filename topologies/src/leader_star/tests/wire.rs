//! Messages as bytes: what is written is read again, and what is not a message is not taken for one.

use std::sync::Arc;

use tertulia_core::ballot::{Ballot, Certificate};
use tertulia_core::id::{Incarnation, PeerId};
use tertulia_core::peers::{ADDR_MAX, NICK_MAX};

use super::super::messages::{Msg, PLACES_MAX, Place};
use crate::election::{Message, Roll, Tag};

/// A `LEADER` with so many places.
fn lead(places: usize) -> Msg {
    let (ballot, members) = (Ballot::default(), vec![PeerId([4; 32])]);
    let proof = Certificate::new(ballot, members.clone(), [(&members[0], &[5; 64])]);
    let roll = Roll { tag: Tag { ballot, version: 6 }, members };
    let place = Place { id: PeerId([7; 32]), addrs: vec![Arc::from("tcp://127.0.0.1:4000")] };
    Msg::Election(Message::Lead { number: 1, roll, proof }, vec![place; places])
}

fn samples() -> Vec<Msg> {
    let nick: Arc<str> = Arc::from("ñ".repeat(NICK_MAX / 2));
    let ballot = Ballot { term: 3, rank: [1, 2, 3, 4], peer: PeerId([9; 32]) };
    let addrs = vec![Arc::from("tcp://127.0.0.1:4000"), Arc::from("x".repeat(ADDR_MAX))];
    vec![
        Msg::Join { nonce: 7, nick, claimed_at: u64::MAX, addrs: addrs.clone() },
        Msg::Redirect { nonce: 8, leader: PeerId([1; 32]), addrs },
        Msg::Accepted { nonce: 9 },
        Msg::Refused { nonce: 10, holder: PeerId([2; 32]) },
        Msg::Election(Message::Resign { ballot }, Vec::new()),
        lead(3),
        Msg::Order { ballot, first: 3, steps: vec![(PeerId([3; 32]), Incarnation(4), 5)] },
        Msg::OrderAsk { ballot, next: u64::MAX / 2 },
        Msg::OrderBase { ballot, next: 6, steps: vec![(PeerId([3; 32]), Incarnation(4), u64::MAX)] },
    ]
}

#[test]
fn messages_round_trip_and_end_where_they_end() {
    for msg in samples() {
        let bytes = msg.encode();
        assert_eq!(Msg::decode(&bytes).as_ref(), Ok(&msg));
        for cut in 0..bytes.len() {
            assert!(Msg::decode(&bytes[..cut]).is_err(), "{msg:?} cut at {cut}");
        }
        assert!(Msg::decode(&[&bytes[..], &[0]].concat()).is_err());
        assert_eq!(msg.name(), msg.name().to_uppercase());
        assert!(Msg::decode(&[&[2], &bytes[1..]].concat()).is_err(), "another version");
    }
}

#[test]
fn what_is_beyond_a_limit_is_refused() {
    for nick in ["", &"x".repeat(NICK_MAX + 1)] {
        let join = Msg::Join { nonce: 1, nick: Arc::from(nick), claimed_at: 0, addrs: Vec::new() };
        assert!(Msg::decode(&join.encode()).is_err(), "{nick}");
    }
    let far = Msg::Redirect { nonce: 1, leader: PeerId([1; 32]), addrs: vec![Arc::from("x"); 9] };
    assert!(matches!(Msg::decode(&far.encode()), Ok(Msg::Redirect { addrs, .. }) if addrs.len() == 4));
    let many = Msg::decode(&lead(PLACES_MAX + 1).encode());
    assert!(matches!(many, Ok(Msg::Election(_, places)) if places.len() == PLACES_MAX));
}

#[test]
fn an_order_that_ends_beyond_all_numbers_is_refused() {
    let (ballot, steps) = (Ballot::default(), vec![(PeerId([3; 32]), Incarnation(4), 5)]);
    for far in [u64::MAX, u64::MAX / 2 + 1] {
        let order = Msg::Order { ballot, first: far, steps: steps.clone() };
        let base = Msg::OrderBase { ballot, next: far, steps: steps.clone() };
        for msg in [order, base, Msg::OrderAsk { ballot, next: far }] {
            assert!(Msg::decode(&msg.encode()).is_err(), "{msg:?}");
        }
    }
}
