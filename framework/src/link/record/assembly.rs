//! Frames whose fragments arrive in any order, or not at all.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tertulia_core::frame::Lane;

use super::{MAX_FRAME, RecordError};

/// What a fragment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) lane: Lane,
    /// The frame's number in its lane.
    pub(super) number: u32,
    pub(super) offset: usize,
    /// The frame's length.
    pub(super) total: usize,
}

/// Frames of which some fragments have arrived, bounded in number, bytes and time. A frame that exceeds a bound
/// costs the one that waits longest: on a link that loses fragments, that one will never be whole.
#[derive(Debug)]
pub(super) struct Assembly {
    frames: Vec<Partial>,
    now: Instant,
}

#[derive(Debug)]
struct Partial {
    lane: Lane,
    number: u32,
    total: usize,
    /// Bytes that have arrived. A record is opened once, so no fragment counts twice.
    got: usize,
    bytes: BytesMut,
    /// When the last fragment arrived.
    at: Instant,
}

impl Assembly {
    /// Frames in part at once.
    pub(super) const FRAMES: usize = 64;
    /// Bytes of all these frames, counted by their whole lengths before memory is taken.
    pub(super) const BYTES: usize = 4 << 20;
    /// How long a frame waits for its next fragment. A transport that sends lost datagrams again is done by then.
    pub(super) const PATIENCE: Duration = Duration::from_secs(3);

    pub(super) fn new() -> Self {
        Assembly { frames: Vec::new(), now: Instant::now() }
    }

    /// Sets the time, and drops what has waited for too long.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.now = now;
        self.frames.retain(|f| now.saturating_duration_since(f.at) < Self::PATIENCE);
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.frames.iter().map(|f| f.bytes.len()).sum()
    }

    /// Takes a fragment; the frame's bytes once it is whole.
    pub(super) fn add(&mut self, piece: Piece, part: &[u8]) -> Result<Option<Bytes>, RecordError> {
        let Piece { lane, number, offset, total } = piece;
        if total > MAX_FRAME {
            return Err(RecordError::TooLong(total));
        }
        let end = offset.saturating_add(part.len());
        if part.is_empty() || end > total {
            return Err(RecordError::Malformed("fragment out of place"));
        }
        let at = self.frames.iter().position(|f| f.lane == lane && f.number == number);
        let at = at.unwrap_or_else(|| self.begin(lane, number, total));
        let Some(frame) = self.frames.get_mut(at) else { return Ok(None) };
        if frame.total != total {
            return Err(RecordError::Malformed("fragment of another frame"));
        }
        if frame.bytes.len() < end {
            frame.bytes.resize(end, 0);
        }
        if let Some(place) = frame.bytes.get_mut(offset..end) {
            place.copy_from_slice(part);
        }
        frame.got += part.len();
        frame.at = self.now;
        match frame.got.cmp(&total) {
            std::cmp::Ordering::Less => Ok(None),
            std::cmp::Ordering::Equal => Ok(Some(self.frames.swap_remove(at).bytes.freeze())),
            std::cmp::Ordering::Greater => Err(RecordError::Malformed("fragments overlap")),
        }
    }

    /// Makes room for a frame, and its place.
    fn begin(&mut self, lane: Lane, number: u32, total: usize) -> usize {
        let mut promised: usize = self.frames.iter().map(|f| f.total).sum();
        while self.frames.len() >= Self::FRAMES || promised + total > Self::BYTES {
            let oldest = self.frames.iter().enumerate().min_by_key(|(_, f)| f.at).map(|(at, _)| at);
            let Some(oldest) = oldest else { break };
            promised -= self.frames.swap_remove(oldest).total;
        }
        let bytes = BytesMut::with_capacity(total);
        self.frames.push(Partial { lane, number, total, got: 0, bytes, at: self.now });
        self.frames.len() - 1
    }
}

const _: () = assert!(MAX_FRAME <= Assembly::BYTES);
