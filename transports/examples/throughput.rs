//! What a link costs beside raw TCP: one sender, one receiver, messages of one length, on loopback.
//!
//! `cargo run --release -p tertulia-transports --example throughput [SECONDS]`

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tertulia::crypto::{GroupKey, GroupSecret, Identity, noise, plain};
use tertulia::link::{
    Crypto, HandshakeParams, Lanes, Link, RecordReader, RecordWriter, Role, RxBatch, Transport, TxBatch,
    admit_epoch, establish,
};
use tertulia_core::frame::{Frame, FrameKind, Lane};
use tertulia_core::id::Incarnation;
use tertulia_transports::memory::Hub;
use tertulia_transports::{memory, tcp, udp};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let seconds = std::env::args().nth(1).map_or(Ok(1.0), |s| s.parse())?;
    let time = Duration::from_secs_f64(seconds);
    println!("{:>7}  {:<14} {:>12} {:>10} {:>6}", "bytes", "way", "messages/s", "MB/s", "ratio");
    for size in [64, 1024, 65_536, 1 << 20] {
        let base = raw(size, time).await?;
        line(size, "raw tcp", base, base);
        for (name, crypto) in [
            ("plain", plain::build(&plain::Config::default())),
            ("noise", noise::build(&noise::Config::default())),
        ] {
            let tcp = tcp::build(&tcp::Config::default())?;
            line(
                size,
                &format!("tcp {name}"),
                link(tcp, "tcp://127.0.0.1:0", &crypto, size, time).await?,
                base,
            );
            let udp = udp::build(&udp::Config::default())?;
            line(
                size,
                &format!("udp {name}"),
                link(udp, "udp://127.0.0.1:0", &crypto, size, time).await?,
                base,
            );
            let memory = memory::build(&memory::Config::default(), &Hub::new());
            line(
                size,
                &format!("memory {name}"),
                link(memory, "memory://", &crypto, size, time).await?,
                base,
            );
        }
    }
    Ok(())
}

fn line(size: usize, way: &str, rate: f64, base: f64) {
    println!("{size:>7}  {way:<14} {rate:>12.0} {:>10.1} {:>6.2}", rate * size as f64 / 1e6, rate / base);
}

/// The baseline: length-prefixed frames over a buffered stream.
async fn raw(size: usize, time: Duration) -> Result<f64, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (near, (far, _)) = (near?, far?);
    near.set_nodelay(true)?;
    let writer = tokio::spawn(async move {
        let (mut io, body) = (BufWriter::with_capacity(64 * 1024, near), vec![7; size]);
        let start = Instant::now();
        while start.elapsed() < time {
            for _ in 0..1 + 65_536 / size {
                io.write_u32_le(size as u32).await?;
                io.write_all(&body).await?;
            }
        }
        io.shutdown().await
    });
    let (mut io, mut count, mut body) = (BufReader::with_capacity(64 * 1024, far), 0u64, Vec::new());
    let start = Instant::now();
    while let Ok(len) = io.read_u32_le().await {
        body.resize(len as usize, 0);
        io.read_exact(&mut body).await?;
        count += 1;
    }
    writer.await??;
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

fn params(seed: u8) -> Result<HandshakeParams, Error> {
    Ok(HandshakeParams {
        identity: Arc::new(Identity::from_seed([seed; 32])?),
        group: Arc::new(GroupKey::new("bench", &GroupSecret::from_bytes([1; 32]))?),
        incarnation: Incarnation(1),
        epoch: 0,
        admit: admit_epoch(0),
    })
}

async fn link(
    transport: Arc<dyn Transport>,
    at: &str,
    crypto: &Arc<dyn Crypto>,
    size: usize,
    time: Duration,
) -> Result<f64, Error> {
    let caps = transport.caps();
    let mut listener = transport.listen(&at.parse()?).await?;
    let limit = Duration::from_secs(5);
    let (one, two) = (params(1)?, params(2)?);
    let local = listener.local();
    let dial = async {
        Ok::<_, Error>(
            establish(transport.dial(&local).await?, Role::Initiator, &**crypto, &one, limit).await?,
        )
    };
    let accept =
        async { Ok(establish(listener.accept().await?, Role::Responder, &**crypto, &two, limit).await?) };
    let (near, far): (Link, Link) = tokio::try_join!(dial, accept)?;
    let writer = tokio::spawn(async move {
        let mut link = near;
        let mut records = RecordWriter::new(link.session.sealer, &caps)?;
        let (mut lanes, mut batch) = (Lanes::default(), TxBatch::new(TxBatch::USUAL));
        let frame = Frame::new(FrameKind::Data, Bytes::from(vec![7; size - Frame::HEADER]));
        let start = Instant::now();
        while start.elapsed() < time {
            while lanes.held(Lane::Data) < 1 << 20 {
                lanes.push(Lane::Data, frame.clone());
            }
            records.fill(&mut lanes, &mut batch)?;
            while !batch.is_empty() {
                poll_fn(|cx| link.tx.poll_send(cx, &mut batch)).await?;
            }
        }
        poll_fn(|cx| link.tx.poll_close(cx)).await?;
        Ok::<_, Error>(())
    });
    let mut link = far;
    let mut records = RecordReader::new(link.session.opener, &caps);
    let (mut batch, mut count) = (RxBatch::new(64, caps.max_record), 0u64);
    let start = Instant::now();
    while poll_fn(|cx| link.rx.poll_recv(cx, &mut batch)).await.is_ok() {
        while let Some(record) = batch.pop() {
            records.read(record, |_, frame| count += u64::from(frame.body.len() == size - Frame::HEADER))?;
        }
    }
    writer.await??;
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
