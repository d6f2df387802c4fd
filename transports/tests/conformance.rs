//! All transports keep the promises of the seam.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::time::Duration;

use tertulia_core::units::Size;
use tertulia_sim::conformance::transport::{Subject, transport};
use tertulia_transports::memory::Hub;
use tertulia_transports::{memory, tcp, udp};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn memory_conforms() {
    let make = || Subject {
        transport: memory::build(&memory::Config::default(), &Hub::new()),
        listen: "memory://".parse().unwrap(),
        nobody: "memory://nobody".parse().unwrap(),
    };
    let report = transport(make, LIMIT).await;
    assert!(report.passed(), "{report}");
}

#[tokio::test]
async fn tcp_conforms() {
    // A port that was free a moment ago; nobody listens on it, as connections to it were never accepted.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let make = || Subject {
        transport: tcp::build(&tcp::Config::default()).unwrap(),
        listen: "tcp://127.0.0.1:0".parse().unwrap(),
        nobody: format!("tcp://{nobody}").parse().unwrap(),
    };
    let report = transport(make, LIMIT).await;
    assert!(report.passed(), "{report}");
}

async fn udp_conforms(config: udp::Config) {
    // Bound and never read.
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let make = || Subject {
        transport: udp::build(&config).unwrap(),
        listen: "udp://127.0.0.1:0".parse().unwrap(),
        nobody: format!("udp://{}", nobody.local_addr().unwrap()).parse().unwrap(),
    };
    let report = transport(make, LIMIT).await;
    assert!(report.passed(), "{report}");
}

#[tokio::test]
async fn udp_conforms_with_datagrams_of_any_length() {
    udp_conforms(udp::Config::default()).await;
    udp_conforms(udp::Config { datagram: Size(9_000), ..udp::Config::default() }).await;
    udp_conforms(udp::Config { datagram: Size(508), resend: 0, ..udp::Config::default() }).await;
}
