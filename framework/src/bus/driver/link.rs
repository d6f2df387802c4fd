//! The two tasks of a link.

use std::future::poll_fn;
use std::sync::Arc;

use tertulia_core::engine::api::{Down, LinkId};
use tertulia_core::frame::{Frame, Lane};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::outbound::{Collected, Outbound, held};
use crate::link::{
    Lanes, LinkRx, LinkTx, RecordError, RecordReader, RecordWriter, RxBatch, TransportCode, TransportError,
    TxBatch,
};

/// Batches of one link that may wait for the driver. A link that sends more than the driver takes is read no
/// further, so that its own connection fills up and nobody else's.
pub(super) const CREDIT: usize = 4;
/// Records read at once.
const RECORDS: usize = 64;

/// What a reader hands to the driver.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Frames, in order.
    Frames {
        /// On which link.
        link: LinkId,
        /// What arrived.
        frames: Vec<(Lane, Frame)>,
        /// Given back once the driver has dealt with the frames.
        credit: OwnedSemaphorePermit,
    },
    /// Nothing more will arrive.
    End {
        /// On which link.
        link: LinkId,
        /// Why.
        why: Down,
    },
}

impl Arrival {
    /// Arrivals that can wait at once, for so many links.
    pub(super) fn capacity(links: usize) -> usize {
        links.saturating_mul(CREDIT + 1).clamp(16, Semaphore::MAX_PERMITS / 2)
    }
}

/// Reads a link until it ends: receive, open, hand over.
pub(super) async fn read(
    link: LinkId,
    mut rx: Box<dyn LinkRx>,
    mut reader: RecordReader,
    max_record: usize,
    driver: mpsc::Sender<Arrival>,
) {
    let credits = Arc::new(Semaphore::new(CREDIT));
    let mut batch = RxBatch::new(RECORDS, max_record);
    let mut usual = 16;
    let why = loop {
        let Ok(credit) = credits.clone().acquire_owned().await else { break Down::Failed };
        let received = poll_fn(|cx| rx.poll_recv(cx, &mut batch)).await;
        let mut frames = Vec::with_capacity(usual);
        reader.tidy(std::time::Instant::now());
        let opened = open(&mut batch, &mut reader, &mut frames);
        usual = frames.len().clamp(4, 1024);
        if !frames.is_empty() && driver.send(Arrival::Frames { link, frames, credit }).await.is_err() {
            return;
        }
        if let Err(error) = opened {
            tracing::warn!(link = link.0, code = error.code(), %error, "closing a link");
            break Down::Corrupt;
        }
        if let Err(error) = received {
            tracing::debug!(link = link.0, code = error.code(), %error, "a link ended");
            break down(&error);
        }
    };
    // The driver is gone when this fails, and needs to know nothing.
    let _told = driver.send(Arrival::End { link, why }).await;
}

fn open(
    batch: &mut RxBatch,
    reader: &mut RecordReader,
    frames: &mut Vec<(Lane, Frame)>,
) -> Result<(), RecordError> {
    while let Some(record) = batch.pop() {
        reader.read(record, |lane, frame| frames.push((lane, frame)))?;
    }
    Ok(())
}

/// Writes a link until it is closed or fails: collect, pack, seal, send.
pub(super) async fn write(
    mut tx: Box<dyn LinkTx>,
    mut writer: RecordWriter,
    outbound: Arc<Outbound>,
) -> Down {
    let mut lanes = Lanes::default();
    let mut batch = TxBatch::new(TxBatch::USUAL);
    let mut spare = Vec::new();
    loop {
        let collected = outbound.collect(&mut lanes, &mut spare);
        if lanes.is_empty() {
            if collected == Collected::Closing {
                break;
            }
            outbound.wait().await;
            continue;
        }
        let before = held(&lanes);
        let filled = writer.fill(&mut lanes, &mut batch);
        outbound.left(before, held(&lanes));
        if let Err(error) = filled {
            tracing::warn!(code = error.code(), %error, "closing a link");
            return Down::Failed;
        }
        while !batch.is_empty() {
            if let Err(error) = poll_fn(|cx| tx.poll_send(cx, &mut batch)).await {
                return down(&error);
            }
        }
    }
    match poll_fn(|cx| tx.poll_close(cx)).await {
        Ok(()) => Down::Closed,
        Err(error) => down(&error),
    }
}

fn down(error: &TransportError) -> Down {
    match error.kind() {
        TransportCode::Closed => Down::Closed,
        TransportCode::Oversize => Down::Corrupt,
        _ => Down::Failed,
    }
}
