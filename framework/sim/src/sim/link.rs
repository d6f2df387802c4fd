//! Links: frames in order, budgets per lane, closing.
//!
//! A link is a connection: what is sent arrives in order unless reordering is on, a close arrives behind the frames
//! sent before it, and a frame for a link that its receiver does not have any more brings the sender a reset. Frames
//! may be lost all the same: the model is harsher than a connection there, as protocols must survive it.

use tertulia_core::config::LimitsConfig;
use tertulia_core::engine::api::{CloseReason, Down};
use tertulia_core::frame::{Frame, Lane};
use tertulia_core::time::Instant;

use super::Sim;
use super::event::{Arrival, Happening};
use super::node::{End, lane_index};
use crate::tap::Way;

/// Bytes that a lane may have under way.
fn budget(limits: &LimitsConfig, lane: Lane) -> u64 {
    match lane {
        Lane::Control => limits.lane_control.0,
        Lane::Data => limits.lane_data.0,
        Lane::Repair => limits.lane_repair.0,
    }
}

impl Sim<'_> {
    /// An engine sends a frame.
    pub(super) fn send(&mut self, from: u32, link: u32, lane: Lane, frame: Frame) {
        let Some(to) = self.nodes[from as usize].end(link).map(|e| e.peer) else { return };
        if let Some(watch) = &mut self.watch {
            watch.sent(self.now, from, to, lane, &frame);
        }
        let Some(mut tap) = self.tap.take() else { return self.transmit(from, link, lane, frame) };
        let mut out = std::mem::take(&mut self.tapped);
        let way = Way { now: self.now, from, from_id: self.id(from), to, link, lane };
        tap.pass(way, frame, &mut out);
        for (lane, frame) in out.drain(..) {
            self.transmit(from, link, lane, frame);
        }
        self.tapped = out;
        self.tap = Some(tap);
    }

    /// Puts a frame on a link of `from` to `to` as if `from`'s engine had sent it; false when there is none.
    pub fn inject(&mut self, from: u32, to: u32, lane: Lane, frame: Frame) -> bool {
        let link = self.nodes.get(from as usize).and_then(|n| n.links.iter().find(|e| e.peer == to));
        let Some(link) = link.map(|e| e.id) else { return false };
        self.counters.fault("inject");
        self.transmit(from, link, lane, frame);
        true
    }

    fn transmit(&mut self, from: u32, link: u32, lane: Lane, frame: Frame) {
        let len = frame.wire_len();
        let most = budget(&self.config.engine.limits, lane);
        let Some(end) = self.nodes[from as usize].end(link) else { return };
        let under_way = &mut end.in_flight[lane_index(lane)];
        if u64::from(*under_way) + len as u64 > most {
            self.counters.overflow += 1;
            return;
        }
        self.counters.sent(&frame);
        let (to, to_link) = (end.peer, end.peer_id);
        if self.paths.blocked(from, to) {
            self.counters.fault("blocked");
            return;
        }
        if self.net_rng.chance(self.network.loss) {
            self.counters.fault("loss");
            return;
        }
        *under_way += len as u32;
        let at = self.arrival(from, link, lane, len);
        if self.network.duplicate > 0.0 && self.net_rng.chance(self.network.duplicate) {
            self.counters.fault("duplicate");
            let again = at + self.latency(from, to);
            if let Some(end) = self.nodes[from as usize].end(link) {
                end.in_flight[lane_index(lane)] += len as u32;
            }
            let arrival = Arrival::Frame { link: to_link, from, from_link: link, lane, frame: frame.clone() };
            self.queue.push(again, Happening::At(to, arrival));
        }
        let arrival = Arrival::Frame { link: to_link, from, from_link: link, lane, frame };
        self.queue.push(at, Happening::At(to, arrival));
    }

    /// When `len` bytes that `from` sends now arrive at the other end, in order behind what was sent before.
    fn arrival(&mut self, from: u32, link: u32, lane: Lane, len: usize) -> Instant {
        let Some((to, last)) = self.nodes[from as usize].end(link).map(|e| (e.peer, e.last)) else {
            return self.now;
        };
        let place = usize::from(lane != Lane::Control);
        let mut at = self.now;
        if let Some(rate) = self.network.bandwidth {
            at = self.through_line(from, 0, at, lane, len, rate);
        }
        at += self.latency(from, to);
        if let Some(rate) = self.network.bandwidth {
            at = self.through_line(to, 1, at, lane, len, rate);
        }
        if self.network.reorder > 0.0 && self.net_rng.chance(self.network.reorder) {
            self.counters.fault("reorder");
            return at.max(last[place]) + self.network.reorder_by.mul_f64(self.net_rng.unit());
        }
        let narrow = self.network.bandwidth.is_some();
        let at = at.max(last[place]);
        if let Some(end) = self.nodes[from as usize].end(link) {
            end.last[place] = at;
            if !narrow {
                end.last[1 - place] = at;
            }
        }
        at
    }

    /// Waits for a node's line and occupies it. Control frames go first.
    fn through_line(
        &mut self,
        node: u32,
        way: usize,
        at: Instant,
        lane: Lane,
        len: usize,
        rate: u64,
    ) -> Instant {
        let takes = std::time::Duration::from_nanos((len as u64).saturating_mul(1_000_000_000) / rate.max(1));
        let free = &mut self.nodes[node as usize].line[way];
        let begin = if lane == Lane::Control { at } else { at.max(*free) };
        *free = (*free).max(at) + takes;
        begin + takes
    }

    /// One way between two nodes, now.
    pub(super) fn latency(&mut self, from: u32, to: u32) -> std::time::Duration {
        let d = self.network.latency.draw(self.config.seed, from, to, &mut self.net_rng);
        let factor = self.paths.factor(from, to);
        if factor == 1.0 { d } else { d.mul_f64(factor) }
    }

    /// A frame came off its link: the sender has room again.
    pub(super) fn landed(&mut self, from: u32, from_link: u32, lane: Lane, len: usize) {
        if let Some(end) = self.nodes[from as usize].end(from_link) {
            let under_way = &mut end.in_flight[lane_index(lane)];
            *under_way = under_way.saturating_sub(len as u32);
        }
    }

    /// An engine closes a link: its end is gone at once, the other end hears of it in order.
    pub(super) fn close(&mut self, node: u32, link: u32, reason: CloseReason) {
        if let CloseReason::Misbehaved(_) = reason {
            self.counters.misbehaved += 1;
        }
        if let Some(end) = self.nodes[node as usize].take_end(link) {
            self.say_closed(node, &end, Down::Closed);
        }
    }

    /// Tells the other end of a link, behind the frames sent before, that it is gone.
    pub(super) fn say_closed(&mut self, node: u32, end: &End, reason: Down) {
        self.active();
        let at = (self.now + self.latency(node, end.peer)).max(end.last[0]).max(end.last[1]);
        if self.paths.blocked(node, end.peer) {
            self.nodes[node as usize].unsaid.insert(end.id);
            return;
        }
        let arrival = Arrival::LinkDown { link: end.peer_id, reason };
        self.queue.push(at, Happening::At(end.peer, arrival));
    }

    /// A frame arrived at a host for a link that nobody has there any more: the sender gets a reset, unless the news
    /// is on its way to it already.
    pub(super) fn reset(&mut self, host: u32, link: u32, from: u32, from_link: u32) {
        if self.paths.blocked(host, from) || !self.nodes[host as usize].unsaid.contains(&link) {
            return;
        }
        let at = self.now + self.latency(host, from);
        let arrival = Arrival::LinkDown { link: from_link, reason: Down::Failed };
        self.queue.push(at, Happening::At(from, arrival));
    }
}
