//! Both transports keep the promises of the seam.

use std::time::Duration;

use tertulia_sim::conformance::transport::{Subject, transport};
use tertulia_transports::memory::Hub;
use tertulia_transports::{memory, tcp};

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
        transport: tcp::build(&tcp::Config::default()),
        listen: "tcp://127.0.0.1:0".parse().unwrap(),
        nobody: format!("tcp://{nobody}").parse().unwrap(),
    };
    let report = transport(make, LIMIT).await;
    assert!(report.passed(), "{report}");
}
