//! What the tests of links share.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test program uses its part")]

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tertulia::crypto::{GroupKey, GroupSecret, Identity, noise, plain};
use tertulia::link::{
    Crypto, HandshakeParams, Lanes, LinkRx, LinkTx, RecordReader, RecordWriter, RxBatch, TxBatch, admit_epoch,
};
use tertulia_core::frame::{Frame, Lane};
use tertulia_core::id::Incarnation;

pub const LIMIT: Duration = Duration::from_secs(10);

pub fn member(seed: u8, secret: u8) -> HandshakeParams {
    HandshakeParams {
        identity: Arc::new(Identity::from_seed([seed; 32]).unwrap()),
        group: Arc::new(GroupKey::new("group", &GroupSecret::from_bytes([secret; 32])).unwrap()),
        incarnation: Incarnation(u64::from(seed)),
        epoch: 0,
        admit: admit_epoch(0),
    }
}

pub fn noise() -> Arc<dyn Crypto> {
    noise::build(&noise::Config::default())
}

pub fn plain() -> Arc<dyn Crypto> {
    plain::build(&plain::Config::default())
}

pub async fn send(tx: &mut dyn LinkTx, writer: &mut RecordWriter, frames: &[Frame]) {
    let mut lanes = Lanes::default();
    frames.iter().for_each(|frame| lanes.push(Lane::Data, frame.clone()));
    let mut batch = TxBatch::new(TxBatch::USUAL);
    while !(lanes.is_empty() && batch.is_empty()) {
        writer.fill(&mut lanes, &mut batch).unwrap();
        poll_fn(|cx| tx.poll_send(cx, &mut batch)).await.unwrap();
    }
}

pub async fn receive(
    rx: &mut dyn LinkRx,
    reader: &mut RecordReader,
    count: usize,
    max_record: usize,
) -> Vec<Frame> {
    let (mut frames, mut batch) = (Vec::new(), RxBatch::new(64, max_record));
    while frames.len() < count {
        poll_fn(|cx| rx.poll_recv(cx, &mut batch)).await.unwrap();
        while let Some(record) = batch.pop() {
            reader.read(record, |_, frame| frames.push(frame)).unwrap();
        }
    }
    frames
}
