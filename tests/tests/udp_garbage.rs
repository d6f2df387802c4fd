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

/// Datagrams a second, and for how long.
const RAIN: (u64, Duration) = (50_000, Duration::from_secs(10));
/// What a busy machine reaches of them: with less, nothing is shown.
const LEAST: u64 = 25_000;
/// At most so many follow each other before answers are looked at.
const BURST: u64 = 256;
/// Rain before memory is looked at first: what rain needs at all has been taken then.
const FIRST: Duration = Duration::from_secs(1);
/// By how much memory may have grown in the end.
const GROWTH_KIB: u64 = 4 * 1024;

/// What the rain was, and what came back.
#[derive(Debug, Default)]
struct Rain {
    took: Duration,
    /// Datagrams that were sent.
    garbage: u64,
    knocks: u64,
    /// Datagrams that were not: there was no room for them.
    failed: u64,
    knock_bytes: u64,
    garbage_answers: u64,
    bytes_back: u64,
    longest: usize,
    /// Memory after the first second, and in the end.
    kib: [Option<u64>; 2],
}

impl Rain {
    fn rate(&self) -> u64 {
        ((self.garbage + self.knocks) as f64 / self.took.as_secs_f64()) as u64
    }
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

/// Where rain comes from: garbage from one address, and knocks from another, which never says more.
struct Cloud {
    sockets: [UdpSocket; 2],
    rng: NodeRng,
    pool: Vec<u8>,
}

impl Cloud {
    fn over(at: &str) -> Cloud {
        let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        for socket in &sockets {
            socket.connect(at).unwrap();
            socket.set_nonblocking(true).unwrap();
        }
        let mut rng = NodeRng::new(9);
        let pool = (0..4096).map(|_| rng.next_u64() as u8).collect();
        Cloud { sockets, rng, pool }
    }

    /// One datagram.
    fn send(&mut self, rain: &mut Rain) {
        let rng = &mut self.rng;
        let knocks = rng.below(25) == 0;
        let bytes = if knocks {
            knock(rng.next_u64())
        } else {
            let at = rng.below(2048);
            let mut bytes = self.pool[at..at + 1 + rng.below(1300)].to_vec();
            // Of every kind that there is, and some that there are not.
            bytes[0] = rng.below(14) as u8;
            bytes
        };
        match (self.sockets[usize::from(knocks)].send(&bytes), knocks) {
            (Err(_), _) => rain.failed += 1,
            (Ok(_), false) => rain.garbage += 1,
            (Ok(len), true) => {
                rain.knocks += 1;
                rain.knock_bytes += len as u64;
            }
        }
    }

    /// What came back.
    fn collect(&self, rain: &mut Rain) {
        drain(&self.sockets[0], |_| rain.garbage_answers += 1);
        drain(&self.sockets[1], |answer| {
            rain.bytes_back += answer.len() as u64;
            rain.longest = rain.longest.max(answer.len());
        });
    }
}

/// Rains for as long as it shall, at an even pace.
fn rain(at: &str) -> Rain {
    let (mut cloud, mut rain) = (Cloud::over(at), Rain::default());
    let began = Instant::now();
    while began.elapsed() < RAIN.1 {
        let due = (began.elapsed().as_secs_f64() * RAIN.0 as f64) as u64;
        let behind = due.saturating_sub(rain.garbage + rain.knocks);
        (0..behind.min(BURST)).for_each(|_| cloud.send(&mut rain));
        cloud.collect(&mut rain);
        if rain.kib[0].is_none() && began.elapsed() >= FIRST {
            rain.kib[0] = resident_kib();
        }
        // Whoever is behind makes up for it.
        if behind < BURST {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    rain.took = began.elapsed();
    rain.kib[1] = resident_kib();
    cloud.collect(&mut rain);
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
        let rain = rain(&at);
        ends.store(true, Ordering::SeqCst);
        rain
    });
    let more = move |_| !over.load(Ordering::SeqCst);
    let (said, heard) = chat(&members, (1, 100, Duration::from_millis(5)), more).await;
    let rain = weather.await.unwrap();
    println!("{} datagrams/s: {rain:?}; {said} messages, {heard} deliveries", rain.rate());
    assert!(
        rain.rate() >= LEAST,
        "only {} datagrams/s were sent: the machine is too busy to show anything",
        rain.rate()
    );
    assert_eq!(rain.garbage_answers, 0, "garbage was answered");
    assert!(rain.bytes_back > 0 && rain.bytes_back < rain.knock_bytes && rain.longest < 64);
    if let [Some(before), Some(after)] = rain.kib {
        assert!(after <= before + GROWTH_KIB, "{before} KiB became {after} KiB");
    }
    for member in &members {
        assert_eq!(member.node.members().await.len(), 3, "somebody got in");
    }
}
