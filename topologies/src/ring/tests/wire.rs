//! Messages as bytes: what is written is read again, and what is not a message is not taken for one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tertulia_core::id::PeerId;
use tertulia_core::peers::{ADDR_MAX, NICK_MAX};
use tertulia_core::rng::NodeRng;
use tertulia_core::topology::Input;

use super::super::messages::{Around, Code, LIST_MAX, Letter, Msg, Place, Query, Side};
use super::settled;

fn place(n: u8) -> Place {
    Place {
        id: PeerId([n; 32]),
        addrs: vec![Arc::from("tcp://127.0.0.1:4000"), Arc::from("x".repeat(ADDR_MAX))],
    }
}

fn samples() -> Vec<Letter> {
    let around = Around { predecessor: Some(place(1)), successors: (2..18).map(place).collect() };
    assert_eq!(around.successors.len(), LIST_MAX);
    let nick: Arc<str> = Arc::from("ñ".repeat(NICK_MAX / 2));
    let (asker, newcomer, holder) = (PeerId([1; 32]), PeerId([2; 32]), PeerId([3; 32]));
    let messages = [
        Msg::Join { nick: nick.clone(), claimed_at: u64::MAX, addrs: place(1).addrs },
        Msg::Query(Query { hops: 7, asker, newcomer, nick, claimed_at: 12 }),
        Msg::Answer { hops: u16::MAX, asker, newcomer, holder },
        Msg::Ack { of: Code::Quit, around: Around::default() },
        Msg::Ack { of: Code::ChangePrec, around: around.clone() },
        Msg::Accepted(around.clone()),
        Msg::Refused { holder },
        Msg::ChangePrec { side: Side::Successor, place: place(4) },
        Msg::Quit { side: Side::Predecessor, heir: place(5), beyond: around.successors },
    ];
    messages.into_iter().zip(0x0102_0304_0506_0708..).map(|(msg, nonce)| Letter { nonce, msg }).collect()
}

#[test]
fn letters_round_trip() {
    for letter in samples() {
        assert_eq!(Letter::decode(&letter.encode()), Ok(letter));
    }
}

#[test]
fn every_code_has_a_sample_and_a_name() {
    for code in Code::ALL {
        assert!(samples().iter().any(|l| l.msg.code() == code));
        assert_eq!(code.name(), code.name().to_uppercase());
    }
}

#[test]
fn cut_or_longer_letters_are_refused() {
    for letter in samples() {
        let bytes = letter.encode();
        for cut in 0..bytes.len() {
            assert!(Letter::decode(&bytes[..cut]).is_err(), "{letter:?} cut at {cut}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Letter::decode(&longer).is_err());
    }
}

#[test]
fn what_is_beyond_a_limit_is_refused() {
    let mut bytes = samples()[0].encode().to_vec();
    bytes[0] = 2;
    assert!(Letter::decode(&bytes).is_err(), "another version");
    let long = Msg::Join { nick: Arc::from("x".repeat(NICK_MAX + 1)), claimed_at: 0, addrs: Vec::new() };
    assert!(Letter::decode(&Letter { nonce: 1, msg: long }.encode()).is_err(), "a long nick");
    let none = Msg::Join { nick: Arc::from(""), claimed_at: 0, addrs: Vec::new() };
    assert!(Letter::decode(&Letter { nonce: 1, msg: none }.encode()).is_err(), "no nick");
}

/// Noise, and letters with a few bytes changed, from a member: nothing panics and the ring stays.
#[test]
fn garbage_does_no_harm() {
    let mut net = settled(5, 2, None);
    let mut rng = NodeRng::new(11);
    let samples = samples();
    for round in 0..3000 {
        let mut bytes = match rng.pick(&samples) {
            Some(letter) if round % 3 > 0 => letter.encode().to_vec(),
            _ => (0..rng.below(80)).map(|_| rng.next_u64() as u8).collect(),
        };
        for _ in 0..rng.below(4) {
            let at = rng.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.next_u64() as u8;
            }
        }
        let to = rng.below(5);
        let from = net.handle(to, (to + 1 + rng.below(4)) % 5);
        net.input(to, Input::Frame { from, body: &Bytes::from(bytes) });
        if round % 50 == 0 {
            net.run(Duration::from_millis(20));
        }
    }
    net.run(super::SETTLE * 2);
    assert_eq!(net.members().len(), 5);
    assert_eq!(net.fault(2), None);
}
