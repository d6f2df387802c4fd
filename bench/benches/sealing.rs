//! Records: one frame packed and sealed, and opened again, under the keys of a real handshake.
//!
//! Sealing is the lanes' and the writer's whole way, frame to batch; opening is the reader's, record to frame.

#![allow(clippy::expect_used)] // A bench that cannot run stops, as a test does.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use tertulia::crypto::{GroupKey, GroupSecret, Identity, noise, plain};
use tertulia::link::{
    Caps, Crypto, Handshake, HandshakeParams, Lanes, RecordReader, RecordWriter, Role, Session, Step,
    TxBatch, admit_epoch,
};
use tertulia_core::frame::{Frame, FrameKind, Lane};
use tertulia_core::id::Incarnation;

fn side(crypto: &dyn Crypto, role: Role, seed: u8) -> Box<dyn Handshake> {
    let params = HandshakeParams {
        identity: Arc::new(Identity::from_seed([seed; 32]).expect("an identity")),
        group: Arc::new(GroupKey::new("bench", &GroupSecret::from_bytes([7; 32])).expect("a group key")),
        incarnation: Incarnation(u64::from(seed)),
        epoch: 0,
        admit: admit_epoch(0),
    };
    crypto.handshake(role, &params).expect("a handshake begins")
}

/// Shakes hands; the sessions of both sides.
fn sessions(crypto: &dyn Crypto) -> (Session, Session) {
    let mut sides = [side(crypto, Role::Initiator, 1), side(crypto, Role::Responder, 2)];
    let mut done = [None, None];
    let mut message = Vec::new();
    sides[0].start(&mut message).expect("a first message");
    let mut turn = 0;
    while !message.is_empty() {
        turn = 1 - turn;
        let mut answer = Vec::new();
        if let Step::Done(session) = sides[turn].read(&message, &mut answer).expect("an honest message") {
            done[turn] = Some(session);
        }
        message = answer;
    }
    let [initiator, responder] = done.map(|session| session.expect("a session"));
    (initiator, responder)
}

/// The sending end of a link without a transport.
struct Tx {
    writer: RecordWriter,
    lanes: Lanes,
    batch: TxBatch,
    frame: Frame,
}

impl Tx {
    fn new(session: Session, size: usize) -> Self {
        Tx {
            writer: RecordWriter::new(session.sealer, &Caps::STREAM).expect("a stream"),
            lanes: Lanes::default(),
            batch: TxBatch::new(TxBatch::USUAL),
            frame: Frame::new(FrameKind::Data, Bytes::from(vec![7; size])),
        }
    }

    /// Puts the frame into the batch as one record.
    fn seal(&mut self) {
        self.lanes.push(Lane::Data, self.frame.clone());
        self.writer.fill(&mut self.lanes, &mut self.batch).expect("a record");
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let suites = [noise::build(&noise::Config::default()), plain::build(&plain::Config::default())];
    let mut group = criterion.benchmark_group("sealing");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for crypto in &suites {
        for size in [64, 1 << 10, 64 << 10] {
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new(format!("{}/seal", crypto.kind()), size), |b| {
                let mut tx = Tx::new(sessions(&**crypto).0, size);
                b.iter(|| {
                    tx.seal();
                    black_box(tx.batch.unsent());
                    tx.batch.sent(1);
                });
            });
            group.bench_function(BenchmarkId::new(format!("{}/open", crypto.kind()), size), |b| {
                let (near, far) = sessions(&**crypto);
                let mut tx = Tx::new(near, size);
                let mut reader = RecordReader::new(far.opener, &Caps::STREAM);
                let record = || {
                    tx.seal();
                    let record = BytesMut::from(tx.batch.records().next().expect("a record"));
                    tx.batch.sent(1);
                    record
                };
                let open = |record| {
                    let mut frames = 0;
                    reader
                        .read(record, |_, frame| {
                            assert_eq!(frame.body.len(), size);
                            frames += 1;
                        })
                        .expect("a good record");
                    assert_eq!(frames, 1);
                };
                b.iter_batched(record, open, BatchSize::NumIterations(32));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
