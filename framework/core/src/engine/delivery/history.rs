//! What is kept for others, and how long.
//!
//! A parcel is kept until `history.keep_bytes` is full. Beyond `history.keep` messages the oldest go as soon as every
//! member is known to have them, the dead that are not forgotten included. So a member that was away for a while is repaired from what others hold, and
//! one that was away for too long is told of the gap.

use std::collections::VecDeque;

use super::super::Engine;
use super::StreamId;
use super::stream::{Kept, Stream};
use crate::config::Scope;
use crate::id::Peer;
use crate::parcel::Parcel;
use crate::peers::State;

/// Bytes that a parcel costs beside its own.
const OVERHEAD: usize = 160;

/// All kept parcels, in the order in which they were committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    order: VecDeque<(StreamId, u64)>,
    pub(crate) messages: u64,
    pub(crate) bytes: usize,
    /// The roster's count of changes when the oldest was last found to be still needed.
    needed_at: u64,
}

fn cost(parcel: &Parcel) -> usize {
    parcel.bytes().len() + OVERHEAD
}

impl History {
    pub(crate) fn add(&mut self, id: StreamId, kept: &Kept) {
        self.order.push_back((id, kept.parcel.header.number));
        self.messages += u64::from(kept.parcel.header.count);
        self.bytes += cost(&kept.parcel);
    }

    fn remove(&mut self, kept: &Kept) {
        self.messages -= u64::from(kept.parcel.header.count);
        self.bytes -= cost(&kept.parcel);
    }

    /// A whole stream was dropped; its places in the order are skipped later.
    pub(crate) fn dropped(&mut self, stream: &Stream) {
        self.forget(&stream.kept);
    }

    /// Parcels were dropped out of turn; their places in the order are skipped later.
    pub(crate) fn forget(&mut self, kept: &VecDeque<Kept>) {
        kept.iter().for_each(|k| self.remove(k));
    }
}

impl Engine {
    /// Drops the oldest parcels while there are more than settings allow.
    pub(super) fn evict(&mut self) {
        let keep = &self.base.config.history;
        let (most, most_bytes) = (u64::from(keep.keep), keep.keep_bytes.bytes());
        while self.delivery.history.bytes > most_bytes || self.delivery.history.messages > most {
            let Some(&(id, number)) = self.delivery.history.order.front() else { return };
            let full = self.delivery.history.bytes > most_bytes;
            if !full && self.is_needed(id, number) {
                return;
            }
            self.delivery.history.order.pop_front();
            let Some(stream) = self.delivery.stream_mut(id).filter(|s| s.floor == number) else { continue };
            if let Some(kept) = stream.evict() {
                let (floor, top) = (stream.floor, stream.top);
                self.delivery.history.remove(&kept);
                self.roster.progress(Peer::ME, id, floor, top, 0);
            }
        }
    }

    /// True when some live or dead member is not known to have a parcel. Asked again only after the roster has changed.
    fn is_needed(&mut self, id: StreamId, number: u64) -> bool {
        if self.base.config.roster.scope == Scope::View {
            return false;
        }
        if self.delivery.history.needed_at == self.roster.stamp {
            return true;
        }
        let has =
            |p: Peer| p == Peer::ME || p == id.0 || self.roster.cell(p, id).is_some_and(|c| c.top >= number);
        let mut everybody = self.base.peers.iter().filter(|(_, e)| e.is_live() || e.state == State::Dead);
        let needed = everybody.any(|(p, _)| !has(p));
        if needed {
            self.delivery.history.needed_at = self.roster.stamp;
        }
        needed
    }
}
