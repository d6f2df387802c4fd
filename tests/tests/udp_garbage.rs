//! A group over datagrams under a rain of garbage. In a program of its own: what it measures is the whole process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may fail it")]

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tertulia_core::rng::NodeRng;
use tertulia_core::units::Size;
use tertulia_tests::group::{Group, Shape, Suite, Wire};
use tertulia_tests::process::resident_kib;
use tertulia_tests::talk::chat;
use tertulia_transports::udp;

/// Datagrams a second, and for how long; a machine too busy for that takes longer over as many.
const RAIN: (u64, Duration) = (50_000, Duration::from_secs(10));
/// By how much memory may have grown in the end.
const GROWTH_KIB: u64 = 4 * 1024;

/// What the rain was, and what came back.
#[derive(Debug, Default)]
struct Rain {
    garbage: u64,
    garbage_answers: u64,
    knocks: u64,
    bytes_sent: u64,
    bytes_back: u64,
    longest: usize,
}

/// A datagram as a dialler begins with, as anybody may send it from any address.
fn knock(id: u64) -> Vec<u8> {
    let mut bytes = [&[1][..], b"tertulia", &[1, 0], &id.to_le_bytes(), &1200u16.to_le_bytes()].concat();
    bytes.resize(64, 0);
    bytes
}

fn drain(socket: &UdpSocket, mut each: impl FnMut(&[u8])) {
    let mut buffer = [0; 2048];
    while let Ok(len) = socket.recv(&mut buffer) {
        each(&buffer[..len]);
    }
}

/// Sends garbage from one address and knocks from another, which never says more.
fn rain(at: &str) -> Rain {
    let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    for socket in &sockets {
        socket.connect(at).unwrap();
        socket.set_nonblocking(true).unwrap();
    }
    let (mut rng, mut rain, began) = (NodeRng::new(9), Rain::default(), Instant::now());
    let pool: Vec<u8> = (0..4096).map(|_| rng.next_u64() as u8).collect();
    let all = RAIN.0 * RAIN.1.as_secs();
    while rain.garbage + rain.knocks < all {
        let due = (began.elapsed().as_secs_f64() * RAIN.0 as f64) as u64;
        while rain.garbage + rain.knocks < due.min(all) {
            if rng.below(25) == 0 {
                let bytes = knock(rng.next_u64());
                if sockets[1].send(&bytes).is_ok() {
                    rain.bytes_sent += bytes.len() as u64;
                }
                rain.knocks += 1;
                continue;
            }
            let at = rng.below(2048);
            let mut bytes = pool[at..at + 1 + rng.below(1300)].to_vec();
            // Of every kind that there is, and some that there are not.
            bytes[0] = rng.below(14) as u8;
            let _sent = sockets[0].send(&bytes);
            rain.garbage += 1;
        }
        drain(&sockets[0], |_| rain.garbage_answers += 1);
        drain(&sockets[1], |answer| {
            rain.bytes_back += answer.len() as u64;
            rain.longest = rain.longest.max(answer.len());
        });
        std::thread::sleep(Duration::from_millis(1));
    }
    rain
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rain_of_garbage_disturbs_nobody_and_gets_no_answer() {
    let wire = Wire::Udp(udp::Config::default());
    let mut group = Group { wire, ..Group::new(Suite::Noise, Shape::Ring) };
    // The chat itself shall not take more and more memory.
    group.config.history.keep = 200;
    group.config.history.keep_bytes = Size::mib(1);
    let members = group.members(3).await;
    let at = members[0].node.addr().rest().to_owned();
    let over = Arc::new(AtomicBool::new(false));
    let ends = over.clone();
    let weather = tokio::task::spawn_blocking(move || {
        // Some of it first: what rain needs at all has been taken then.
        let first = resident_kib();
        let rain = rain(&at);
        ends.store(true, Ordering::SeqCst);
        (first, rain, resident_kib())
    });
    let more = move |_| !over.load(Ordering::SeqCst);
    let (said, heard) = chat(&members, (1, 100, Duration::from_millis(5)), more).await;
    let (before, rain, after) = weather.await.unwrap();
    println!("{rain:?}; {said} messages, {heard} deliveries; resident {before:?} KiB, then {after:?} KiB");
    assert_eq!(rain.garbage_answers, 0, "garbage was answered");
    assert!(rain.bytes_back > 0 && rain.bytes_back < rain.bytes_sent && rain.longest < 64);
    if let (Some(before), Some(after)) = (before, after) {
        assert!(after <= before + GROWTH_KIB, "{before} KiB became {after} KiB");
    }
    for member in &members {
        assert_eq!(member.node.members().await.len(), 3, "somebody got in");
    }
}
