//! Messages over an authenticated link, one by one.

use std::collections::VecDeque;
use std::future::poll_fn;

use bytes::Bytes;
use tertulia_core::frame::{Frame, FrameKind, Lane};

use super::{MESSAGE_MAX, ServiceError};
use crate::link::{Caps, Lanes, Link, LinkRx, LinkTx, Locator, RecordReader, RecordWriter, RxBatch, TxBatch};

/// Records read at once.
const RECORDS: usize = 16;
/// Messages that may wait to be looked at; who sends more does not follow the protocol.
const WAITING: usize = 4;

/// A link between a service and whoever asks it.
pub(super) struct Channel {
    remote: Locator,
    tx: Box<dyn LinkTx>,
    rx: Box<dyn LinkRx>,
    writer: RecordWriter,
    reader: RecordReader,
    lanes: Lanes,
    leaving: TxBatch,
    arriving: RxBatch,
    waiting: VecDeque<Bytes>,
}

impl Channel {
    /// Over a link that is established, of a transport with these properties.
    pub(super) fn new(link: Link, caps: &Caps) -> Result<Self, ServiceError> {
        let Link { session, tx, rx, remote } = link;
        let writer = RecordWriter::new(session.sealer, caps);
        let writer = writer.map_err(|e| ServiceError::new(&remote, e.code(), e.to_string()))?;
        let reader = RecordReader::new(session.opener, caps);
        Ok(Channel {
            remote,
            tx,
            rx,
            writer,
            reader,
            lanes: Lanes::default(),
            leaving: TxBatch::new(TxBatch::USUAL),
            arriving: RxBatch::new(RECORDS, caps.max_record),
            waiting: VecDeque::new(),
        })
    }

    /// Sends a message whole.
    pub(super) async fn send(&mut self, message: Vec<u8>) -> Result<(), ServiceError> {
        // All frames between services and those who ask them are of one kind.
        let frame = Frame::new(FrameKind::Topology, Bytes::from(message));
        self.lanes.push(Lane::Control, frame);
        while !self.lanes.is_empty() {
            let filled = self.writer.fill(&mut self.lanes, &mut self.leaving);
            filled.map_err(|e| self.error(e.code(), &e))?;
            while !self.leaving.is_empty() {
                let sent = poll_fn(|cx| self.tx.poll_send(cx, &mut self.leaving)).await;
                sent.map_err(|e| self.error(e.code(), &e))?;
            }
        }
        Ok(())
    }

    /// The next message. Whoever gives up waiting can go on later.
    pub(super) async fn receive(&mut self) -> Result<Bytes, ServiceError> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            let received = poll_fn(|cx| self.rx.poll_recv(cx, &mut self.arriving)).await;
            self.reader.tidy(std::time::Instant::now());
            let mut good = true;
            while let Some(record) = self.arriving.pop() {
                let waiting = &mut self.waiting;
                let read = self.reader.read(record, |_, frame| {
                    good &= frame.kind == FrameKind::Topology
                        && frame.body.len() <= MESSAGE_MAX
                        && waiting.len() < WAITING;
                    if good {
                        waiting.push_back(frame.body);
                    }
                });
                read.map_err(|e| self.error(e.code(), &e))?;
                if !good || self.reader.held() > MESSAGE_MAX {
                    return Err(self.error("malformed", &"more was sent than is allowed"));
                }
            }
            if self.waiting.is_empty() {
                received.map_err(|e| self.error(e.code(), &e))?;
            }
        }
    }

    fn error(&self, code: &'static str, reason: &dyn std::fmt::Display) -> ServiceError {
        ServiceError::new(&self.remote, code, reason.to_string())
    }
}
