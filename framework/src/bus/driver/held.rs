//! Data frames that wait for the application to read.

use std::collections::VecDeque;

use tertulia_core::engine::api::LinkId;
use tertulia_core::frame::{Frame, FrameKind};

/// What a frame counts beyond its bytes.
const FRAME_COST: usize = 64;

/// Data frames held back while some mailbox is full, in the order in which they came, bounded in bytes.
///
/// What does not fit is let pass by, as if it had been lost on the way: delivery asks for it again. Frames that are no
/// data are never held, so a node whose application is stuck still answers probes.
#[derive(Debug, Default)]
pub(super) struct Held {
    frames: VecDeque<(LinkId, Frame)>,
    bytes: usize,
    limit: usize,
    /// Frames let pass by since the last time that all was through.
    passed: u64,
}

impl Held {
    /// Nothing held, at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Held { limit, ..Held::default() }
    }

    /// True when the frame is one that waits for room.
    pub(super) fn concerns(frame: &Frame) -> bool {
        matches!(frame.kind, FrameKind::Data | FrameKind::Repair)
    }

    /// Holds a frame; `false` when it is let pass by.
    pub(super) fn push(&mut self, link: LinkId, frame: Frame) -> bool {
        let cost = frame.wire_len() + FRAME_COST;
        if self.bytes + cost > self.limit && !self.frames.is_empty() {
            self.passed += 1;
            return false;
        }
        self.bytes += cost;
        self.frames.push_back((link, frame));
        true
    }

    /// The oldest frame.
    pub(super) fn pop(&mut self) -> Option<(LinkId, Frame)> {
        let (link, frame) = self.frames.pop_front()?;
        self.bytes -= frame.wire_len() + FRAME_COST;
        Some((link, frame))
    }

    /// True when nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Frames let pass by; counts anew from here.
    pub(super) fn passed(&mut self) -> u64 {
        std::mem::take(&mut self.passed)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn order_is_kept_and_memory_is_bounded() {
        let mut held = Held::new(1000);
        let frame = |len: usize| Frame::new(FrameKind::Data, Bytes::from(vec![0; len]));
        assert!(held.push(LinkId(1), frame(5000)), "one frame always fits");
        assert!(!held.push(LinkId(1), frame(1)));
        assert_eq!(held.passed(), 1);
        assert!(held.pop().is_some() && held.is_empty());
        for n in 0..10 {
            assert_eq!(held.push(LinkId(n), frame(100)), n < 6);
        }
        let order: Vec<_> = std::iter::from_fn(|| held.pop()).map(|(link, _)| link.0).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5]);
        assert_eq!((held.bytes, held.passed()), (0, 4));
        assert!(!Held::concerns(&Frame::new(FrameKind::Probe, Bytes::new())));
    }
}
