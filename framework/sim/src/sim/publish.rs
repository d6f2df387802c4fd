//! Publishing as a driver does it: a queue per node, and parcels formed from whatever is queued.

use core::time::Duration;

use bytes::Bytes;
use tertulia_core::engine::GOODBYE;
use tertulia_core::engine::api::Input;
use tertulia_core::message::{Draft, Room, encoded_len};
use tertulia_core::parcel::BODY_TARGET;
use tertulia_core::time::Instant;

use super::Sim;
use super::config::EPOCH_MS;
use super::event::Happening;
use super::node::Status;

/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(10);

/// A message that the application published and the engine does not have yet.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    to: Option<u32>,
    planned_us: u64,
    payload: Bytes,
}

impl Pending {
    fn len(&self) -> usize {
        encoded_len(&Room::default(), &self.payload)
    }
}

/// Why a message was not accepted; its publisher was told, so that nothing is lost silently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unaccepted {
    /// The node does not run, or is leaving.
    NotRunning,
    /// The publisher's budget is used up: later, when parcels have gone.
    Full,
    /// Larger than `limits.message`.
    TooLarge,
    /// The recipient is nobody.
    Nobody,
}

impl Sim<'_> {
    /// Publishes a message from `node`, to everybody or to one member; its number in the node's stream.
    /// Messages published at the same instant leave as one parcel.
    pub fn publish(&mut self, node: u32, to: Option<u32>, payload: Bytes) -> Result<u64, Unaccepted> {
        if self.status(node) != Status::Running {
            return Err(Unaccepted::NotRunning);
        }
        if to.is_some_and(|to| to >= self.len() || to == node) {
            return Err(Unaccepted::Nobody);
        }
        let limits = &self.config.engine.limits;
        if payload.len() as u64 > limits.message.0 {
            return Err(Unaccepted::TooLarge);
        }
        let planned_us = EPOCH_MS * 1_000 + self.now.as_nanos() / 1_000;
        let pending = Pending { to, planned_us, payload };
        let most = limits.pending.bytes();
        let n = &mut self.nodes[node as usize];
        if !n.pending.is_empty() && n.pending_bytes + pending.len() > most {
            return Err(Unaccepted::Full);
        }
        let seq = self.oracle.accepted(self.now, node, to, &pending.payload);
        n.pending_bytes += pending.len();
        n.pending.push_back(pending);
        if !n.pumping {
            n.pumping = true;
            self.queue.push(self.now, Happening::Pump(node));
        }
        self.note(10, u64::from(node), seq);
        Ok(seq)
    }

    /// True while a node's application has published what its engine did not take yet.
    #[must_use]
    pub fn is_publishing(&self, node: u32) -> bool {
        self.nodes.get(node as usize).is_some_and(|n| !n.pending.is_empty())
    }

    /// Hands an engine the next parcel's worth, or the wish to leave; true when it was given something.
    pub(super) fn pump(&mut self, node: u32) -> bool {
        let n = &mut self.nodes[node as usize];
        let Some(engine) = n.engine.as_mut() else { return false };
        let until = n.since + LEAVE;
        let waited = self.now + GOODBYE >= until;
        let leaving = n.status == Status::Leaving && !n.told_leave;
        if leaving && (n.pending.is_empty() || waited) {
            n.told_leave = true;
            engine.handle(self.now, Input::Leave(until));
            return true;
        }
        let Some(first) = n.pending.front() else { return false };
        let to = first.to;
        if n.ready_at.is_none() || n.told_leave || (to.is_none() && !engine.can_publish()) {
            return false;
        }
        let mut draft = Draft::default();
        while let Some(next) = n.pending.front() {
            if next.to != to || (!draft.is_empty() && draft.len() + next.len() > BODY_TARGET) {
                break;
            }
            draft.push(&Room::default(), 1, next.planned_us, &next.payload);
            n.pending_bytes -= next.len();
            n.pending.pop_front();
        }
        n.stored.parcels += u64::from(to.is_none());
        let to = to.map(|to| crate::auth::peer_id(self.auth_key, to));
        engine.handle(self.now, Input::Publish { to, draft });
        true
    }

    /// When a message's stamp says it was published.
    #[must_use]
    pub fn planned(planned_us: u64) -> Instant {
        Instant::from_nanos(planned_us.saturating_sub(EPOCH_MS * 1_000).saturating_mul(1_000))
    }
}
