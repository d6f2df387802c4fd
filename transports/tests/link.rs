//! Handshakes and frames over real transports.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail it")]

use std::sync::Arc;

use bytes::Bytes;
use tertulia::link::{
    Crypto, EstablishError, HandshakeParams, Link, RecordReader, RecordWriter, Refusal, Role, Side,
    Transport, establish, refuse,
};
use tertulia_core::frame::{Frame, FrameKind};
use tertulia_core::id::Incarnation;
use tertulia_transports::memory::Hub;
use tertulia_transports::{memory, tcp, udp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

mod common;
use common::{LIMIT, member, noise, plain, receive, send};

fn transports() -> [(Arc<dyn Transport>, &'static str); 3] {
    [
        (memory::build(&memory::Config::default(), &Hub::new()), "memory://"),
        (tcp::build(&tcp::Config::default()).unwrap(), "tcp://127.0.0.1:0"),
        (udp::build(&udp::Config::default()).unwrap(), "udp://127.0.0.1:0"),
    ]
}

type Ends = (Result<Link, EstablishError>, Result<Link, EstablishError>);

async fn meet(
    (transport, at): &(Arc<dyn Transport>, &'static str),
    (from, from_crypto): (&HandshakeParams, &dyn Crypto),
    (to, to_crypto): (&HandshakeParams, &dyn Crypto),
) -> Ends {
    let mut listener = transport.listen(&at.parse().unwrap()).await.unwrap();
    let local = listener.local();
    let dial = async {
        establish(transport.dial(&local).await.unwrap(), Role::Initiator, from_crypto, from, LIMIT).await
    };
    let accept =
        async { establish(listener.accept().await.unwrap(), Role::Responder, to_crypto, to, LIMIT).await };
    tokio::join!(dial, accept)
}

#[tokio::test]
async fn frames_of_all_sizes_cross_every_link() {
    let frames: Vec<_> = [0, 1, 64, 1000, 65_536, 1 << 20, 3, 200_000]
        .map(|len| Frame::new(FrameKind::Data, Bytes::from(vec![len as u8; len])))
        .into();
    for transport in transports() {
        for crypto in [noise(), plain()] {
            let (one, two) = (member(1, 1), member(2, 1));
            let (near, far) = meet(&transport, (&one, &*crypto), (&two, &*crypto)).await;
            let (mut near, mut far) = (near.unwrap(), far.unwrap());
            assert_eq!((near.session.peer, far.session.peer), (two.identity.id(), one.identity.id()));
            let caps = transport.0.caps();
            let mut writer = RecordWriter::new(far.session.sealer, &caps).unwrap();
            let mut reader = RecordReader::new(near.session.opener, &caps);
            // The accepting side speaks at once, right behind its last handshake message.
            let sent = send(&mut *far.tx, &mut writer, &frames);
            let got = receive(&mut *near.rx, &mut reader, frames.len(), caps.max_record);
            let ((), mut got) = tokio::join!(sent, got);
            let mut frames = frames.clone();
            if !caps.is_stream() {
                got.sort_by_key(|frame| frame.body.len());
                frames.sort_by_key(|frame| frame.body.len());
            }
            assert!(got == frames, "{}", transport.1);
        }
    }
}

/// Every address of this machine leads to a listener that has them all, and answers come from there.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn whoever_listens_at_every_address_is_reached_at_every_address() {
    for (transport, _) in &transports()[1..] {
        let at = format!("{}://0.0.0.0:0", transport.scheme());
        let mut listener = transport.listen(&at.parse().unwrap()).await.unwrap();
        let port = listener.local().rest().rsplit_once(':').unwrap().1.to_owned();
        for host in ["127.0.0.1", "127.0.0.2"] {
            let to = format!("{}://{host}:{port}", transport.scheme()).parse().unwrap();
            let (one, two, crypto) = (member(1, 1), member(2, 1), noise());
            let dial = async {
                establish(transport.dial(&to).await.unwrap(), Role::Initiator, &*crypto, &one, LIMIT).await
            };
            let accept = async {
                establish(listener.accept().await.unwrap(), Role::Responder, &*crypto, &two, LIMIT).await
            };
            let (near, far) = tokio::join!(dial, accept);
            assert!(near.is_ok() && far.is_ok(), "{to}: {:?}", near.err());
        }
    }
}

fn side(end: &Result<Link, EstablishError>) -> (Side, Refusal) {
    match end {
        Err(EstablishError::Handshake(error)) => (error.side, error.refusal),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn both_sides_report_a_refusal() {
    for transport in transports() {
        let (one, two, stranger) = (member(1, 1), member(2, 1), member(3, 2));
        let (near, far) = meet(&transport, (&stranger, &*noise()), (&two, &*noise())).await;
        assert_eq!(side(&near), (Side::Them, Refusal::WrongSecret));
        assert_eq!(side(&far), (Side::Us, Refusal::WrongSecret));
        assert!(near.unwrap_err().to_string().contains("group.secret"));

        let (near, far) = meet(&transport, (&one, &*noise()), (&two, &*plain())).await;
        assert_eq!(side(&near), (Side::Them, Refusal::Suite));
        assert_eq!(side(&far), (Side::Us, Refusal::Suite));

        let (near, far) = meet(&transport, (&one, &*noise()), (&one, &*noise())).await;
        assert_eq!(side(&near), (Side::Us, Refusal::Own));
        assert_eq!(side(&far), (Side::Them, Refusal::Own));

        let twin = HandshakeParams { incarnation: Incarnation(9), ..one.clone() };
        let (near, far) = meet(&transport, (&one, &*noise()), (&twin, &*noise())).await;
        assert_eq!(side(&near), (Side::Us, Refusal::IdentityInUse));
        assert_eq!(side(&far), (Side::Us, Refusal::IdentityInUse));
    }
}

#[tokio::test]
async fn a_busy_member_says_so() {
    for (transport, at) in transports() {
        let mut listener = transport.listen(&at.parse().unwrap()).await.unwrap();
        let local = listener.local();
        let one = member(1, 1);
        let crypto = noise();
        let (near, ()) = tokio::join!(
            async {
                establish(transport.dial(&local).await.unwrap(), Role::Initiator, &*crypto, &one, LIMIT).await
            },
            async { refuse(listener.accept().await.unwrap(), Refusal::Busy, LIMIT).await }
        );
        assert_eq!(side(&near), (Side::Them, Refusal::Busy));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_side_meets_the_deadline() {
    let (transport, at) = &transports()[0];
    let mut listener = transport.listen(&at.parse().unwrap()).await.unwrap();
    let local = listener.local();
    let (near, far) = tokio::join!(transport.dial(&local), listener.accept());
    let one = member(1, 1);
    for (raw, role) in [(near.unwrap(), Role::Initiator), (far.unwrap(), Role::Responder)] {
        // Each waits for the other, of which only the first has spoken.
        let end = establish(raw, role, &*noise(), &one, LIMIT).await;
        match role {
            Role::Initiator => assert_eq!(end.unwrap_err().code(), "slow"),
            // The one that gave up has said so, or is gone.
            Role::Responder => assert!(end.is_err()),
        }
    }
}

#[tokio::test]
async fn strangers_get_nothing_but_a_refusal() {
    let (transport, at) = &transports()[1];
    let mut listener = transport.listen(&at.parse().unwrap()).await.unwrap();
    let address = listener.local().rest().to_owned();
    let one = member(1, 1);
    let crypto = noise();
    let said: [&[u8]; 6] = [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 5000],
        &[0; 4],
        &[2, 0, 0, 0, 0xff, 1],
        &[3, 0, 0, 0, 1, 1, 1],
    ];
    for words in said {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let raw = listener.accept().await.unwrap();
        let mut answer = Vec::new();
        let talk = async {
            stream.write_all(words).await.unwrap();
            stream.shutdown().await.unwrap();
            // A reset is an answer as well.
            let _end = stream.read_to_end(&mut answer).await;
        };
        let (end, ()) = tokio::join!(
            async { establish(raw, Role::Responder, &*crypto, &one, LIMIT).await.map(drop) },
            talk
        );
        assert!(end.is_err());
        assert!(answer.is_empty() || answer.len() == 6 && answer[..5] == [2, 0, 0, 0, 0xff], "{answer:?}");
    }
}

#[tokio::test]
async fn errors_name_the_thing_and_the_remedy() {
    let tcp = tcp::build(&tcp::Config::default()).unwrap();
    for (text, code) in [
        ("tcp://127.0.0.1", "bad-address"),
        ("tcp://127.0.0.1:99999", "bad-address"),
        ("tcp://:1", "bad-address"),
        ("tcp://127.0.0.1:0", "bad-address"),
    ] {
        let error = tcp.dial(&text.parse().unwrap()).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = tcp.listen(&"tcp://192.0.2.1:0".parse().unwrap()).await.err().unwrap();
    assert_eq!(error.code(), "address-not-here", "{error}");
    let listener = tcp.listen(&"tcp://0.0.0.0:0".parse().unwrap()).await.unwrap();
    assert!(tcp.dial(&listener.local()).await.is_ok(), "{}", listener.local());
}
