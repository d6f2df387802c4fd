//! Messages as bytes: what is written is read again, and what is not a message is not taken for one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tertulia_core::id::PeerId;
use tertulia_core::peers::{ADDR_MAX, NICK_MAX};
use tertulia_core::rng::NodeRng;
use tertulia_core::topology::Input;

use super::super::messages::{MISSING_MAX, Msg, Need, PLACES_MAX, Place};
use super::{KINDS, settled};

fn place(n: u8) -> Place {
    Place {
        id: PeerId([n; 32]),
        addrs: vec![Arc::from("tcp://127.0.0.1:4000"), Arc::from("x".repeat(ADDR_MAX))],
    }
}

fn samples() -> Vec<Msg> {
    let ids = |n: usize| (0..n).map(|i| PeerId([i as u8; 32])).collect::<Vec<_>>();
    vec![
        Msg::Join { nonce: 7, nick: Arc::from("ñ".repeat(NICK_MAX / 2)) },
        Msg::Accepted { nonce: u64::MAX, places: (0..16).map(place).collect() },
        Msg::Refused { nonce: 9, holder: PeerId([2; 32]) },
        Msg::Missing(Vec::new()),
        Msg::Missing(ids(MISSING_MAX)),
        Msg::Prune { origin: PeerId([3; 32]) },
        Msg::ForwardJoin { ttl: 6, newcomer: place(4) },
        Msg::Neighbour { nonce: 10, need: Need::Low },
        Msg::Neighbour { nonce: 11, need: Need::High },
        Msg::Neighbour { nonce: 12, need: Need::Reunion },
        Msg::NeighbourAnswer { nonce: 13, yes: true },
        Msg::NeighbourAnswer { nonce: 14, yes: false },
        Msg::Keep { lowest: PeerId([7; 32]), count: 5 },
        Msg::Disconnect { leaving: true },
        Msg::Disconnect { leaving: false },
        Msg::Shuffle { nonce: 15, ttl: 3, origin: place(5), places: vec![place(6)] },
        Msg::ShuffleReply { nonce: 16, places: Vec::new() },
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
fn what_is_beyond_a_limit_is_refused_or_cut() {
    for nick in ["", &"x".repeat(NICK_MAX + 1)] {
        let join = Msg::Join { nonce: 1, nick: Arc::from(nick) };
        assert!(Msg::decode(&join.encode()).is_err(), "{nick}");
    }
    let many = Msg::ShuffleReply { nonce: 1, places: vec![place(1); PLACES_MAX + 1] };
    assert!(
        matches!(Msg::decode(&many.encode()), Ok(Msg::ShuffleReply { places, .. }) if places.len() == PLACES_MAX)
    );
    let long = Msg::Missing(vec![PeerId([1; 32]); MISSING_MAX + 1]);
    assert!(matches!(Msg::decode(&long.encode()), Ok(Msg::Missing(ids)) if ids.len() == MISSING_MAX));
}

/// Noise, and messages with a few bytes changed, from a member: nothing panics and the mesh stays.
#[test]
fn garbage_does_no_harm() {
    for config in KINDS {
        let mut net = settled(6, config);
        let mut rng = NodeRng::new(11);
        let samples = samples();
        for round in 0..3000 {
            let mut bytes = match rng.pick(&samples) {
                Some(msg) if round % 3 > 0 => msg.encode().to_vec(),
                _ => (0..rng.below(80)).map(|_| rng.next_u64() as u8).collect(),
            };
            for _ in 0..rng.below(4) {
                let at = rng.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = rng.next_u64() as u8;
                }
            }
            let to = rng.below(6);
            let from = net.handle(to, (to + 1 + rng.below(5)) % 6);
            net.input(to, Input::Frame { from, body: &Bytes::from(bytes) });
            if round % 50 == 0 {
                net.run(Duration::from_millis(20));
            }
        }
        net.run(super::SETTLE);
        assert_eq!(net.mesh_fault(config), None, "{config:?}");
    }
}
