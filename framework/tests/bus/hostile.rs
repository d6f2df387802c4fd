//! Connections that mean no good.

use std::time::Duration;

use tertulia_core::engine::api::Event;
use tertulia_core::message::Room;
use tertulia_core::units::Span;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{Group, event, soon, start};
use tertulia::bus::Filter;

async fn connect(addr: &str) -> TcpStream {
    soon("a connection", TcpStream::connect(addr)).await.unwrap()
}

/// Waits until the other side ends the connection.
async fn ended(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _end = soon("the end of a connection", stream.read_to_end(&mut rest)).await;
    assert!(rest.len() < 8192, "{} bytes for a stranger", rest.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_half_open_connections_are_closed_in_time() {
    let mut group = Group::tcp();
    group.config.limits.handshakes = 8;
    group.config.limits.handshake = Span::millis(500);
    let (ana, mut events) = start(group.member("ana").found()).await;
    let addr = ana.addr().rest().to_owned();

    // More than there are places, which say nothing at all.
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(connect(&addr).await);
    }
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &[0xff; 4096],
        &[0; 4096],
        &u32::MAX.to_le_bytes(),
        &[4, 0, 0, 0, 1, 2],
    ] {
        let mut stream = connect(&addr).await;
        let _refused = stream.write_all(garbage).await;
        ended(stream).await;
    }
    for stream in silent {
        ended(stream).await;
    }
    // The chat goes on.
    let eva = group.joiner("eva", &ana).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
    let mut messages = ana.subscribe(Filter::all());
    eva.publish(&Room::default(), 1, b"hello").await.unwrap();
    let batch = soon("a message", messages.next()).await.unwrap();
    assert_eq!(batch.messages().next().unwrap().payload[..], b"hello"[..]);
}

#[tokio::test]
async fn a_link_that_is_cut_is_made_anew() {
    let group = Group::tcp();
    let (ana, mut events) = start(group.member("ana").found()).await;
    // A proxy that cuts the first connection in the middle of a record.
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("tcp://{}", proxy.local_addr().unwrap());
    let target = ana.addr().rest().to_owned();
    tokio::spawn(async move {
        let mut limit = 1500usize;
        while let Ok((mut near, _)) = proxy.accept().await {
            let mut far = TcpStream::connect(&target).await.unwrap();
            let most = std::mem::replace(&mut limit, usize::MAX);
            tokio::spawn(async move {
                let (mut near_rx, mut near_tx) = near.split();
                let (mut far_rx, mut far_tx) = far.split();
                let mut left = most;
                let out = async {
                    let mut buf = [0; 512];
                    while let Ok(n @ 1..) = near_rx.read(&mut buf).await {
                        let n = n.min(left);
                        left -= n;
                        if far_tx.write_all(&buf[..n]).await.is_err() || left == 0 {
                            break;
                        }
                    }
                };
                tokio::select! { () = out => {}, _ = tokio::io::copy(&mut far_rx, &mut near_tx) => {} }
            });
        }
    });
    let (eva, _) = start(group.member("eva").join([at])).await;
    event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
    let mut messages = ana.subscribe(Filter::all());
    for _ in 0..200 {
        eva.publish(&Room::default(), 1, &[1; 100]).await.unwrap();
    }
    let mut got = 0;
    while got < 200 {
        got += soon("messages", messages.next()).await.unwrap().messages().count();
    }
    assert_eq!(got, 200);
    tokio::time::timeout(Duration::from_secs(20), eva.leave()).await.unwrap();
}
