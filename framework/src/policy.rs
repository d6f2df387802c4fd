//! What a group lets in: who may be linked, and what may be handed to the application.
//!
//! A policy is asked by every node for itself, at two doors: at the end of each handshake, whether this peer is taken in,
//! by members and by services alike; and for each parcel that was verified and is next in order, whether the application
//! gets it. What it withholds is passed on to others all the same: they have policies of their own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tertulia_core::engine::api::Delivered;
use tertulia_core::id::PeerId;

use crate::link::{Admission, Refusal, admit_epoch};

/// The name of [`Open`].
pub const OPEN: &str = "open";

/// Decides for one node. Asked often and never waited for: an answer does no I/O.
pub trait Policy: Send + Sync {
    /// The name that it is registered by.
    fn kind(&self) -> &'static str;

    /// True when a peer that holds the group's secret, and has proved who it is, may be linked. Others are refused as
    /// `not-admitted`.
    fn admits(&self, peer: &PeerId) -> bool;

    /// True when the application may have these messages. It is told of a gap in place of group messages that it may not.
    fn delivers(&self, parcel: &Delivered) -> bool;
}

/// Everybody with the secret may say everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open;

/// The options of [`Open`]: none.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// Makes the open policy.
#[must_use]
pub fn build(_: &Config) -> Arc<dyn Policy> {
    Arc::new(Open)
}

impl Policy for Open {
    fn kind(&self) -> &'static str {
        OPEN
    }

    fn admits(&self, _: &PeerId) -> bool {
        true
    }

    fn delivers(&self, _: &Delivered) -> bool {
        true
    }
}

/// The admission of a node in this epoch: holders of the secret that are in it too, and that the policy admits.
#[must_use]
pub fn admission(policy: Arc<dyn Policy>, epoch: u64) -> Admission {
    let usual = admit_epoch(epoch);
    Arc::new(move |peer, theirs| {
        usual(peer, theirs)?;
        if peer.is_none_or(|peer| policy.admits(peer)) { Ok(()) } else { Err(Refusal::NotAdmitted) }
    })
}
