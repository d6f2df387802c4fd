//! Lanes: the queues of one link.

use std::collections::VecDeque;

use tertulia_core::frame::{Frame, Lane};

/// The outgoing queues of one link: control before data before repair. Whoever fills them bounds each by itself, with
/// [`Lanes::cost`] and [`Lanes::held`].
///
/// **Order of service.** Control goes first, but after [`Lanes::CONTROL_RUN`] bytes in a row one turn goes to
/// whatever else waits. Of data and repair, one byte in four goes to repair while both wait, counted over
/// runs of [`Lanes::DATA_RUN`] bytes. So none is starved, and repair of a slow neighbour never takes over a link.
#[derive(Debug, Default)]
pub struct Lanes {
    queues: [Queue; Lanes::COUNT],
    control_run: usize,
    data_run: usize,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    /// Bytes held, [`Lanes::FRAME_COST`] per frame included.
    held: usize,
    /// Bytes of the first frame (header included) that have left already.
    offset: usize,
}

impl Lanes {
    /// Number of lanes.
    pub const COUNT: usize = 3;
    /// The lanes in order of service.
    pub const ALL: [Lane; Lanes::COUNT] = [Lane::Control, Lane::Data, Lane::Repair];
    /// What a frame counts beyond its bytes, so that empty frames are bounded too.
    pub const FRAME_COST: usize = 48;
    /// Bytes of control in a row while something else waits.
    pub const CONTROL_RUN: usize = 64 * 1024;
    /// Bytes of data before repair gets its share.
    pub const DATA_RUN: usize = 256 * 1024;
    const REPAIR_SHARE: usize = 4;

    /// Queues a frame.
    pub fn push(&mut self, lane: Lane, frame: Frame) {
        let queue = self.queue_mut(lane);
        queue.held += Self::cost(&frame);
        queue.frames.push_back(frame);
    }

    /// What a frame counts against the limit of a lane.
    #[must_use]
    pub fn cost(frame: &Frame) -> usize {
        frame.wire_len() + Self::FRAME_COST
    }

    /// Bytes that a lane holds, [`Lanes::FRAME_COST`] per frame included.
    #[must_use]
    pub fn held(&self, lane: Lane) -> usize {
        self.queue(lane).held
    }

    /// Frames in a lane, one that has left in part included.
    #[must_use]
    pub fn len(&self, lane: Lane) -> usize {
        self.queue(lane).frames.len()
    }

    /// True when nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(|q| q.frames.is_empty())
    }

    /// The lane whose turn it is.
    #[must_use]
    pub fn turn(&self) -> Option<Lane> {
        let waits = |lane| !self.queue(lane).frames.is_empty();
        let (control, data, repair) = (waits(Lane::Control), waits(Lane::Data), waits(Lane::Repair));
        if control && (self.control_run < Self::CONTROL_RUN || !(data || repair)) {
            Some(Lane::Control)
        } else if repair && (!data || self.data_run >= Self::DATA_RUN) {
            Some(Lane::Repair)
        } else {
            data.then_some(Lane::Data)
        }
    }

    /// The first frame of a lane and how many of its bytes have left already.
    #[must_use]
    pub fn front(&self, lane: Lane) -> Option<(&Frame, usize)> {
        let queue = self.queue(lane);
        queue.frames.front().map(|frame| (frame, queue.offset))
    }

    /// `n` bytes of the first frame of a lane leave; true when they were its last.
    pub fn advance(&mut self, lane: Lane, n: usize) -> bool {
        self.charge(lane, n);
        let queue = self.queue_mut(lane);
        queue.offset += n;
        let Some(frame) = queue.frames.front() else { return false };
        if queue.offset < frame.wire_len() {
            return false;
        }
        queue.held = queue.held.saturating_sub(Self::cost(frame));
        queue.offset = 0;
        queue.frames.pop_front();
        true
    }

    /// Bytes that wait in all lanes, headers included, as an estimate of the room that they need.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queues.iter().map(|q| q.held - q.offset.min(q.held)).sum()
    }

    fn charge(&mut self, lane: Lane, n: usize) {
        match lane {
            Lane::Control => self.control_run += n,
            Lane::Data => {
                self.control_run = 0;
                let repair = !self.queue(Lane::Repair).frames.is_empty();
                self.data_run = if repair { self.data_run + n } else { 0 };
            }
            Lane::Repair => {
                self.control_run = 0;
                self.data_run = self.data_run.saturating_sub(n * Self::REPAIR_SHARE);
            }
        }
        if lane == Lane::Control && self.queues[1..].iter().all(|q| q.frames.is_empty()) {
            self.control_run = 0;
        }
    }

    fn queue(&self, lane: Lane) -> &Queue {
        &self.queues[lane as usize]
    }

    fn queue_mut(&mut self, lane: Lane) -> &mut Queue {
        &mut self.queues[lane as usize]
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tertulia_core::frame::FrameKind;

    use super::*;

    fn frame(len: usize) -> Frame {
        Frame::new(FrameKind::Data, Bytes::from(vec![0; len]))
    }

    /// Fills a lane up to so many bytes.
    fn fill(lanes: &mut Lanes, lane: Lane, bytes: usize) {
        while lanes.held(lane) < bytes {
            lanes.push(lane, frame(1000));
        }
    }

    /// Sends whole frames in turn and tells how many bytes of each lane went.
    fn serve(lanes: &mut Lanes, bytes: usize) -> [usize; Lanes::COUNT] {
        let mut went = [0; Lanes::COUNT];
        while went.iter().sum::<usize>() < bytes {
            let Some(lane) = lanes.turn() else { break };
            let n = lanes.front(lane).unwrap().0.wire_len();
            assert!(lanes.advance(lane, n));
            went[lane as usize] += n;
        }
        went
    }

    #[test]
    fn empty_frames_count_too() {
        let mut lanes = Lanes::default();
        (0..10).for_each(|_| lanes.push(Lane::Control, frame(0)));
        assert!(lanes.held(Lane::Control) >= 10 * Lanes::FRAME_COST);
    }

    #[test]
    fn control_goes_first_but_not_for_ever() {
        let mut lanes = Lanes::default();
        for lane in [Lane::Data, Lane::Repair, Lane::Control] {
            lanes.push(lane, frame(100));
        }
        assert_eq!(lanes.turn(), Some(Lane::Control));
        fill(&mut lanes, Lane::Control, 1 << 20);
        fill(&mut lanes, Lane::Data, 1 << 20);
        let [control, data, _] = serve(&mut lanes, 400_000);
        assert!(control > 20 * data && data > 2000, "control {control}, data {data}");
    }

    #[test]
    fn repair_gets_a_share_and_no_more() {
        let mut lanes = Lanes::default();
        fill(&mut lanes, Lane::Data, 8 << 20);
        fill(&mut lanes, Lane::Repair, 8 << 20);
        let [_, data, repair] = serve(&mut lanes, 5 << 20);
        assert!((3.5..6.0).contains(&(data as f64 / repair as f64)), "data {data}, repair {repair}");
        let [_, data, _] = serve(&mut lanes, usize::MAX);
        assert!(data > 0 && lanes.is_empty());
        assert_eq!((lanes.held(Lane::Data), lanes.held(Lane::Repair)), (0, 0));
    }

    #[test]
    fn a_frame_leaves_in_pieces() {
        let mut lanes = Lanes::default();
        lanes.push(Lane::Data, frame(1000));
        assert!(!lanes.advance(Lane::Data, 500));
        assert_eq!(lanes.front(Lane::Data).unwrap().1, 500);
        let rest = frame(1000).wire_len() - 500;
        assert!(lanes.advance(Lane::Data, rest));
        assert!(lanes.is_empty() && lanes.held(Lane::Data) == 0 && lanes.front(Lane::Data).is_none());
    }
}
