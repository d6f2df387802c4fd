//! Connections that mean no good, by the thousand: all are closed in time, memory stays flat, and a chat goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tertulia::crypto::REFUSE;
use tertulia::link::Refusal;
use tertulia_core::id::PeerId;
use tertulia_core::rng::NodeRng;
use tertulia_core::units::Span;
use tertulia_tests::group::{Group, Shape, Suite, start};
use tertulia_tests::process::{open_files_max, resident_kib};
use tertulia_tests::talk::{Ear, talk};
use tertulia_tests::wait::soon;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long a handshake may take here.
const DEADLINE: Duration = Duration::from_millis(500);
/// What closing may take beyond that, on a machine that is busy with the crowd itself.
const SLACK: Duration = Duration::from_secs(2);
/// Connections in all, and at once.
const CROWD: usize = 2_400;
const WAVE: usize = 200;
/// By how much memory may have grown in the end.
const GROWTH_KIB: u64 = 4 * 1024;

/// What a connection does.
const KINDS: [&str; 8] = ["silent", "half", "loris", "noise", "zeros", "oversize", "web", "stranger"];

/// Writes what is written at once; the other side may close meanwhile.
async fn misbehave(stream: &mut TcpStream, kind: &str, seed: u64) {
    let mut rng = NodeRng::new(seed);
    let bytes = match kind {
        "half" => vec![200, 0, 0, 0, 1, 1, 1],
        "loris" => vec![200],
        "noise" => (0..1 + rng.below(8192)).map(|_| rng.next_u64() as u8).collect(),
        "zeros" => vec![0; 1 + rng.below(8192)],
        "oversize" => {
            let len = 4097 + rng.below(usize::try_from(u32::MAX).unwrap() - 4097);
            [&u32::try_from(len).unwrap().to_le_bytes()[..], &[1; 4096]].concat()
        }
        "web" => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        // A hello as it should be, sealed with the wrong key.
        "stranger" => [&[60, 0, 0, 0, 1, 1, 1, 0][..], &[7; 56]].concat(),
        _ => Vec::new(),
    };
    let _written = stream.write_all(&bytes).await;
}

/// One connection, from the first byte until the other side has closed it. How long that took, and what was said.
async fn knock(addr: &str, kind: &str, seed: u64) -> (Duration, Vec<u8>) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let began = Instant::now();
    misbehave(&mut stream, kind, seed).await;
    let (mut rx, mut tx) = stream.into_split();
    let mut said = Vec::new();
    let drip = async {
        let mut clock = tokio::time::interval(DEADLINE / 8);
        while kind == "loris" && tx.write_all(&[0]).await.is_ok() {
            clock.tick().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // A reset is an end as well.
        _ = rx.read_to_end(&mut said) => {}
        () = drip => {}
    }
    (began.elapsed(), said)
}

fn wrong(error: &Refusal) -> bool {
    matches!(
        error,
        Refusal::Malformed | Refusal::Busy | Refusal::Slow | Refusal::WrongSecret | Refusal::Version
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_thousands_is_turned_away_while_the_chat_goes_on() {
    let mut group = Group::new(Suite::Noise, Shape::Ring);
    group.config.limits.handshake = Span(DEADLINE);
    // The chat itself shall not take more and more memory.
    group.config.history.keep = 200;
    let members = group.members(3).await;
    let ids: Vec<PeerId> = members.iter().map(|m| m.node.id()).collect();
    let over = Arc::new(AtomicBool::new(false));
    let (mut talks, mut ears) = (JoinSet::new(), JoinSet::new());
    // Everybody listens before anybody speaks.
    let listening: Vec<Ear> = members.iter().map(|m| Ear::of(&m.node)).collect();
    for (member, mut ear) in members.iter().zip(listening) {
        let (node, over) = (member.node.clone(), over.clone());
        talks.spawn(async move {
            talk(&node, (1, 100, Duration::from_millis(20)), |_| !over.load(Ordering::SeqCst)).await
        });
        let me = member.node.id();
        let others: Vec<PeerId> = ids.iter().copied().filter(|id| *id != me).collect();
        ears.spawn(async move { ear.hear(&others).await });
    }

    let addr: Arc<str> = members[0].node.addr().rest().into();
    // Sockets of both sides live in this process.
    let wave = WAVE.min(open_files_max() / 4);
    let (slowest, mut refusals, mut before) = (AtomicUsize::new(0), [0usize; 16], None);
    let mut met = 0;
    while met < CROWD {
        let mut crowd = JoinSet::new();
        for n in met..met + wave {
            let addr = addr.clone();
            crowd.spawn(async move { knock(&addr, KINDS[n % KINDS.len()], n as u64).await });
        }
        while let Some(done) = soon("the end of a wave", crowd.join_next()).await {
            let (took, said) = done.unwrap();
            slowest.fetch_max(took.as_millis() as usize, Ordering::Relaxed);
            assert!(took < DEADLINE + SLACK, "one stayed for {took:?}");
            // Nobody is told more than one byte.
            match said[..] {
                [] => {}
                [2, 0, 0, 0, REFUSE, code] => {
                    assert!(wrong(&Refusal::from_byte(code)), "{code}");
                    refusals[usize::from(code)] += 1;
                }
                _ => panic!("a stranger was told {said:?}"),
            }
        }
        met += wave;
        if before.is_none() && met >= CROWD / 4 {
            // What a crowd needs while it is there has been taken by now, and can be used again.
            before = resident_kib();
        }
    }
    let after = resident_kib();
    over.store(true, Ordering::SeqCst);
    let mut said = 0;
    while let Some(count) = soon("the end of the chat", talks.join_next()).await {
        said += count.unwrap();
    }
    let mut heard = 0;
    while let Some(count) = soon("everybody's last words", ears.join_next()).await {
        heard += count.unwrap();
    }
    let of = |refusal: Refusal| refusals[usize::from(refusal.to_byte())];
    println!(
        "{met} connections, {wave} at once, the slowest gone after {} ms; told malformed {}, wrong-secret {}, busy {}, \
         slow {}; resident {before:?} KiB after a quarter, {after:?} KiB at the end; {said} messages, {heard} deliveries",
        slowest.load(Ordering::Relaxed),
        of(Refusal::Malformed),
        of(Refusal::WrongSecret),
        of(Refusal::Busy),
        of(Refusal::Slow),
    );
    assert_eq!(heard, said * 2);
    assert!(of(Refusal::Malformed) > 0 && of(Refusal::Slow) > 0);
    if let (Some(before), Some(after)) = (before, after) {
        assert!(after <= before + GROWTH_KIB, "{before} KiB became {after} KiB");
    }
    for member in &members {
        assert_eq!(member.node.members().await.len(), 3, "somebody got in");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_handshake_too_many_is_answered_busy_and_later_there_is_room_again() {
    let mut group = Group::new(Suite::Noise, Shape::Ring);
    group.config.limits.handshakes = 4;
    group.config.limits.handshake = Span(DEADLINE);
    let ana = start(group.member("ana").found()).await;
    let addr = ana.node.addr().rest().to_owned();
    let mut silent = JoinSet::new();
    let (mut busy, mut slow) = (0, 0);
    for n in 0..8 {
        let addr = addr.clone();
        silent.spawn(async move { knock(&addr, "silent", n).await });
    }
    while let Some(done) = soon("the end of a connection", silent.join_next()).await {
        let (took, said) = done.unwrap();
        match said[..] {
            [2, 0, 0, 0, REFUSE, code] if Refusal::from_byte(code) == Refusal::Busy => {
                busy += 1;
                assert!(took < SLACK, "busy is said at once, not after {took:?}");
            }
            [2, 0, 0, 0, REFUSE, code] if Refusal::from_byte(code) == Refusal::Slow => {
                slow += 1;
                assert!(took >= DEADLINE, "{took:?}");
            }
            _ => panic!("{said:?}"),
        }
    }
    println!("{busy} told busy, {slow} told slow");
    assert_eq!((busy, slow), (4, 4));
    // All places are free again.
    let eva = start(group.member("eva").join([ana.node.addr().to_string()])).await;
    let mut ear = Ear::of(&ana.node);
    tokio::join!(async { talk(&eva.node, (1, 10, Duration::from_millis(1)), |n| n < 5).await }, async {
        ear.hear(&[eva.node.id()]).await
    },);
}
