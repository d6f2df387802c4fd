//! The way of frames from the driver to a link's writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tertulia_core::config::LimitsConfig;
use tertulia_core::frame::{Frame, Lane};
use tokio::sync::Notify;

use crate::link::Lanes;

/// The bounded lanes of one link, as the driver and the link's writer share them.
///
/// The driver drops frames into a staging list; the writer moves them into lanes of its own and packs and seals
/// from there. So the lock is held for moving a few handles, never while anything is sealed. The bytes of both places
/// are counted together, lane by lane.
#[derive(Debug)]
pub(super) struct Outbound {
    staged: Mutex<Staged>,
    held: [AtomicUsize; Lanes::COUNT],
    limits: [usize; Lanes::COUNT],
    ready: Notify,
    /// The writer has nothing left to do. Written under the lock.
    idle: AtomicBool,
    cork: Arc<Cork>,
}

/// Lets the driver wait for any writer to have nothing left to do.
#[derive(Debug)]
pub(super) struct Cork {
    waits: AtomicBool,
    driver: Arc<Notify>,
}

impl Cork {
    pub(super) fn new(driver: Arc<Notify>) -> Self {
        Cork { waits: AtomicBool::new(false), driver }
    }

    /// The driver is woken by the next writer that becomes idle; it looks at the writers after this call.
    pub(super) fn wait(&self) {
        self.waits.store(true, Ordering::SeqCst);
    }

    fn pull(&self) {
        if self.waits.swap(false, Ordering::SeqCst) {
            self.driver.notify_one();
        }
    }
}

#[derive(Debug, Default)]
struct Staged {
    frames: Vec<(Lane, Frame)>,
    closing: bool,
}

/// What the writer found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collected {
    /// More will come.
    Open,
    /// This was all; close once it has left.
    Closing,
}

impl Outbound {
    /// Empty lanes with the profile's limits.
    pub(super) fn new(limits: &LimitsConfig, cork: Arc<Cork>) -> Self {
        Outbound {
            staged: Mutex::default(),
            held: Default::default(),
            limits: [limits.lane_control.bytes(), limits.lane_data.bytes(), limits.lane_repair.bytes()],
            ready: Notify::new(),
            idle: AtomicBool::new(true),
            cork,
        }
    }

    /// Puts frames on their lanes and returns how many found theirs full. These are gone: the engine makes up for them.
    pub(super) fn push(&self, frames: &mut Vec<(Lane, Frame)>) -> usize {
        let mut staged = self.staged.lock();
        let empty = staged.frames.is_empty();
        let mut dropped = 0;
        // One driver adds and the writer only subtracts: what is read here can only be too large.
        for (lane, frame) in frames.drain(..) {
            let at = lane as usize;
            let (held, cost) = (self.held[at].load(Ordering::Acquire), Lanes::cost(&frame));
            if held == 0 || held + cost <= self.limits[at] {
                self.held[at].fetch_add(cost, Ordering::AcqRel);
                staged.frames.push((lane, frame));
            } else {
                dropped += 1;
            }
        }
        let wake = empty && !staged.frames.is_empty();
        if wake {
            self.idle.store(false, Ordering::SeqCst);
        }
        drop(staged);
        if wake {
            self.ready.notify_one();
        }
        dropped
    }

    /// Nothing more will be pushed; the writer closes the link once all has left.
    pub(super) fn close(&self) {
        self.staged.lock().closing = true;
        self.ready.notify_one();
    }

    /// Moves what was pushed into the writer's lanes. `spare` is an empty list whose memory is used again.
    pub(super) fn collect(&self, lanes: &mut Lanes, spare: &mut Vec<(Lane, Frame)>) -> Collected {
        let mut staged = self.staged.lock();
        std::mem::swap(&mut staged.frames, spare);
        let closing = staged.closing;
        drop(staged);
        for (lane, frame) in spare.drain(..) {
            lanes.push(lane, frame);
        }
        if lanes.is_empty() {
            self.rest();
        }
        if closing { Collected::Closing } else { Collected::Open }
    }

    /// The writer has nothing left to do, unless something was pushed just now.
    fn rest(&self) {
        let staged = self.staged.lock();
        self.idle.store(staged.frames.is_empty(), Ordering::SeqCst);
        drop(staged);
        self.cork.pull();
    }

    /// True while the writer has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.idle.load(Ordering::SeqCst)
    }

    /// Frames of a lane left: `before` bytes were held by the writer's lanes, `after` are now.
    pub(super) fn left(&self, before: [usize; Lanes::COUNT], after: [usize; Lanes::COUNT]) {
        for ((held, before), after) in self.held.iter().zip(before).zip(after) {
            held.fetch_sub(before.saturating_sub(after), Ordering::AcqRel);
        }
    }

    /// Waits until something is pushed. One writer only.
    pub(super) async fn wait(&self) {
        self.ready.notified().await;
    }
}

/// Bytes that the writer's lanes hold.
pub(super) fn held(lanes: &Lanes) -> [usize; Lanes::COUNT] {
    Lanes::ALL.map(|lane| lanes.held(lane))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tertulia_core::frame::FrameKind;
    use tertulia_core::units::Size;

    use super::*;

    fn frame(len: usize) -> Frame {
        Frame::new(FrameKind::Data, Bytes::from(vec![0; len]))
    }

    #[test]
    fn a_full_lane_drops_and_spares_the_others() {
        let limits = LimitsConfig { lane_data: Size(10_000), ..LimitsConfig::default() };
        let driver = Arc::new(Notify::new());
        let outbound = Outbound::new(&limits, Arc::new(Cork::new(driver)));
        let mut frames: Vec<_> = (0..5).map(|_| (Lane::Data, frame(3000))).collect();
        frames.push((Lane::Control, frame(10)));
        assert_eq!(outbound.push(&mut frames), 2);
        assert!(frames.is_empty());
        let (mut lanes, mut spare) = (Lanes::default(), Vec::new());
        assert_eq!(outbound.collect(&mut lanes, &mut spare), Collected::Open);
        assert_eq!((lanes.len(Lane::Data), lanes.len(Lane::Control)), (3, 1));

        // Still held: sealing frees the room, moving does not.
        assert_eq!(outbound.push(&mut vec![(Lane::Data, frame(3000))]), 1);
        let before = held(&lanes);
        assert_eq!(lanes.turn(), Some(Lane::Control));
        while let Some(lane) = lanes.turn() {
            let n = lanes.front(lane).map_or(0, |(f, at)| f.wire_len() - at);
            lanes.advance(lane, n);
        }
        outbound.left(before, held(&lanes));
        assert_eq!(outbound.push(&mut vec![(Lane::Data, frame(20_000))]), 0, "an empty lane takes any frame");
        outbound.close();
        assert_eq!(outbound.collect(&mut lanes, &mut spare), Collected::Closing);
        assert_eq!(lanes.len(Lane::Data), 1);
    }

    #[tokio::test]
    async fn a_writer_with_nothing_left_wakes_a_driver_that_waits_for_it() {
        let driver = Arc::new(Notify::new());
        let cork = Arc::new(Cork::new(driver.clone()));
        let outbound = Outbound::new(&LimitsConfig::default(), cork.clone());
        let (mut lanes, mut spare) = (Lanes::default(), Vec::new());
        assert!(outbound.is_idle());
        outbound.push(&mut vec![(Lane::Data, frame(10))]);
        cork.wait();
        outbound.collect(&mut lanes, &mut spare);
        assert!(!outbound.is_idle(), "it has the frame in its own lanes");
        lanes.advance(Lane::Data, frame(10).wire_len());
        outbound.push(&mut vec![(Lane::Data, frame(10))]);
        outbound.collect(&mut lanes, &mut spare);
        assert!(!outbound.is_idle(), "another one came");
        lanes.advance(Lane::Data, frame(10).wire_len());
        outbound.collect(&mut lanes, &mut spare);
        assert!(outbound.is_idle());
        // Told once, and not lost though nobody waited at that moment.
        driver.notified().await;
        assert!(!cork.waits.load(Ordering::SeqCst));
    }
}
