//! Hooks into a run: observers that watch, and taps that tamper with frames on their way.

use tertulia_core::engine::api::{Delivered, Event};
use tertulia_core::frame::{Frame, Lane};
use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;

/// Sees what happens and changes nothing. Every method does nothing unless written.
pub trait Watch: Send {
    /// The application of `node` got messages.
    fn delivered(&mut self, now: Instant, node: u32, delivered: &Delivered) {
        let _ = (now, node, delivered);
    }

    /// The engine of `node` said something.
    fn event(&mut self, now: Instant, node: u32, event: &Event) {
        let _ = (now, node, event);
    }

    /// A frame left `from` for `to`.
    fn sent(&mut self, now: Instant, from: u32, to: u32, lane: Lane, frame: &Frame) {
        let _ = (now, from, to, lane, frame);
    }

    /// Something was done to the group: `crash`, `restart`, `partition`, …
    fn fault(&mut self, now: Instant, kind: &'static str, node: Option<u32>) {
        let _ = (now, kind, node);
    }
}

/// Writes what happens, a line each: for people who replay a seed.
pub struct Transcript<W> {
    /// Where the lines go.
    pub out: W,
    /// Frames as well.
    pub frames: bool,
}

impl<W: std::io::Write + Send> Watch for Transcript<W> {
    fn delivered(&mut self, now: Instant, node: u32, d: &Delivered) {
        let kind = if d.direct { " direct" } else { "" };
        let to = d.first_seq + u64::from(d.count) - 1;
        let (nick, from, run) = (&d.nick, d.first_seq, d.incarnation.0);
        let _ = writeln!(self.out, "{now} n{node} gets{kind} {nick} run {run} {from}..={to}");
    }

    fn event(&mut self, now: Instant, node: u32, event: &Event) {
        let _ = writeln!(self.out, "{now} n{node} says {event:?}");
    }

    fn sent(&mut self, now: Instant, from: u32, to: u32, lane: Lane, frame: &Frame) {
        if self.frames {
            let (kind, len) = (frame.kind, frame.body.len());
            let _ = writeln!(self.out, "{now} n{from} -> n{to} {kind:?} on {lane:?}, {len} bytes");
        }
    }

    fn fault(&mut self, now: Instant, kind: &'static str, node: Option<u32>) {
        let who = node.map_or_else(String::new, |n| format!(" n{n}"));
        let _ = writeln!(self.out, "{now} FAULT {kind}{who}");
    }
}

/// Sits on every link and may alter, drop or add frames: a neighbour that lies, or a bug put in from outside.
pub trait Tap: Send {
    /// A frame is about to travel. What is in `out` afterwards travels in its place, in that order.
    fn pass(&mut self, way: Way, frame: Frame, out: &mut Vec<(Lane, Frame)>);
}

/// Where a frame travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The time.
    pub now: Instant,
    /// The sender.
    pub from: u32,
    /// The sender's id.
    pub from_id: PeerId,
    /// The receiver.
    pub to: u32,
    /// The sender's number of the link.
    pub link: u32,
    /// Its lane.
    pub lane: Lane,
}
