//! A network that alters what passes, and a crowd that only connects.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail it")]

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use tertulia::link::{Link, RecordReader, RecordWriter, Role, RxBatch, establish};
use tertulia_core::frame::{Frame, FrameKind};
use tertulia_core::rng::NodeRng;
use tertulia_transports::tcp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

mod common;
use common::{LIMIT, member, noise, plain, send};

/// What the proxy does to the bytes of one direction, once, at a place.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Alter(usize),
    Drop(usize, usize),
    Repeat(usize, usize),
    Swap(usize, usize),
    Cut(usize),
}

impl Fault {
    fn random(rng: &mut NodeRng, len: usize) -> Fault {
        let (at, n) = (rng.below(len - 400), 1 + rng.below(200));
        match rng.below(5) {
            0 => Fault::Alter(at),
            1 => Fault::Drop(at, n),
            2 => Fault::Repeat(at, n),
            3 => Fault::Swap(at, n),
            _ => Fault::Cut(at),
        }
    }

    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Fault::Alter(at) => bytes[at] ^= 0x10,
            Fault::Drop(at, n) => drop(bytes.drain(at..at + n)),
            Fault::Repeat(at, n) => {
                let again = bytes[at..at + n].to_vec();
                bytes.splice(at..at, again);
            }
            Fault::Swap(at, n) => bytes[at..at + 2 * n].rotate_left(n),
            Fault::Cut(at) => bytes.truncate(at),
        }
    }
}

/// Copies one direction; what comes after the handshake is collected whole and spoilt.
async fn spoil(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    seed: u64,
) -> (Fault, bool) {
    let mut handshake = 2;
    while handshake > 0 {
        let len = from.read_u32_le().await.unwrap() as usize;
        let mut message = vec![0; len];
        from.read_exact(&mut message).await.unwrap();
        to.write_u32_le(len as u32).await.unwrap();
        to.write_all(&message).await.unwrap();
        handshake -= 1;
    }
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).await.unwrap();
    let fault = Fault::random(&mut NodeRng::new(seed), bytes.len());
    let before = bytes.clone();
    fault.apply(&mut bytes);
    // The receiver may close as soon as it has seen enough.
    let _sent = to.write_all(&bytes).await;
    let _ended = to.shutdown().await;
    (fault, bytes != before)
}

#[tokio::test]
async fn what_the_network_altered_is_never_delivered() {
    let transport = tcp::build(&tcp::Config::default()).unwrap();
    let caps = transport.caps();
    let frames: Vec<_> =
        (0..60u8).map(|n| Frame::new(FrameKind::Data, Bytes::from(vec![n; usize::from(n) * 50]))).collect();
    let mut refused = 0;
    for seed in 0..60 {
        let crypto = if seed % 2 == 0 { noise() } else { plain() };
        let mut listener = transport.listen(&"tcp://127.0.0.1:0".parse().unwrap()).await.unwrap();
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let entrance = format!("tcp://{}", proxy.local_addr().unwrap()).parse().unwrap();
        let target = listener.local().rest().to_owned();
        let (one, two) = (member(1, 1), member(2, 1));
        let proxied = tokio::spawn(async move {
            let (near, _) = proxy.accept().await.unwrap();
            let far = TcpStream::connect(target).await.unwrap();
            let ((near_rx, mut near_tx), (mut far_rx, far_tx)) = (near.into_split(), far.into_split());
            let back = tokio::spawn(async move { tokio::io::copy(&mut far_rx, &mut near_tx).await });
            let fault = spoil(near_rx, far_tx, seed).await;
            back.abort();
            fault
        });
        let dial = async {
            establish(transport.dial(&entrance).await.unwrap(), Role::Initiator, &*crypto, &one, LIMIT).await
        };
        let accept = async {
            establish(listener.accept().await.unwrap(), Role::Responder, &*crypto, &two, LIMIT).await
        };
        let (near, far) = tokio::try_join!(dial, accept).unwrap();
        let Link { session, mut tx, .. } = near;
        let mut writer = RecordWriter::new(session.sealer, &caps).unwrap();
        for part in frames.chunks(6) {
            send(&mut *tx, &mut writer, part).await;
        }
        poll_fn(|cx| tx.poll_close(cx)).await.unwrap();
        let Link { session, mut rx, .. } = far;
        let (mut reader, mut batch, mut got) =
            (RecordReader::new(session.opener, &caps), RxBatch::new(8, caps.max_record), Vec::new());
        let reason = 'link: loop {
            if let Err(error) = poll_fn(|cx| rx.poll_recv(cx, &mut batch)).await {
                break error.to_string();
            }
            while let Some(record) = batch.pop() {
                if let Err(error) = reader.read(record, |_, frame| got.push(frame)) {
                    break 'link error.to_string();
                }
            }
        };
        drop(rx);
        let (fault, changed) = proxied.await.unwrap();
        assert!(
            got.len() <= frames.len() && got == frames[..got.len()],
            "{fault:?} delivered what was not sent"
        );
        if changed {
            assert!(got.len() < frames.len(), "{fault:?} went unnoticed");
            refused += 1;
        }
        assert!(!reason.is_empty());
    }
    assert!(refused > 50);
}

#[tokio::test]
async fn a_silent_crowd_keeps_nobody_out() {
    let transport = tcp::build(&tcp::Config::default()).unwrap();
    let mut listener = transport.listen(&"tcp://127.0.0.1:0".parse().unwrap()).await.unwrap();
    let local = listener.local();
    let (one, two) = (member(1, 1), member(2, 1));
    let mut crowd = Vec::new();
    let mut handshakes = JoinSet::new();
    for n in 0..100 {
        let mut silent = TcpStream::connect(local.rest()).await.unwrap();
        // Some begin a message that never ends.
        silent.write_all(&[200, 0, 0, 0, 1, 1, 1, 0][..n % 9]).await.unwrap();
        crowd.push(silent);
        let raw = listener.accept().await.unwrap();
        let two = two.clone();
        handshakes.spawn(async move {
            establish(raw, Role::Responder, &*noise(), &two, Duration::from_millis(300)).await.map(drop)
        });
    }
    let crypto = noise();
    let dial = async {
        establish(transport.dial(&local).await.unwrap(), Role::Initiator, &*crypto, &one, LIMIT).await
    };
    let accept =
        async { establish(listener.accept().await.unwrap(), Role::Responder, &*crypto, &two, LIMIT).await };
    tokio::try_join!(dial, accept).unwrap();
    while let Some(end) = handshakes.join_next().await {
        assert_eq!(end.unwrap().unwrap_err().code(), "slow");
    }
}
