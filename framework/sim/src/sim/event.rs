//! What can happen in a run.

use tertulia_core::engine::api::{DialFailure, DialId, Down};
use tertulia_core::frame::{Frame, Lane};

/// An event of the queue: something at a node, or between nodes.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A node's one wake-up.
    Wake(u32),
    /// A node's driver takes what the application has published.
    Pump(u32),
    /// Something arrives at a node.
    At(u32, Arrival),
}

/// What can arrive at a node. A frozen node finds all of it when it thaws, in order.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    /// A frame on its link.
    Frame { link: u32, from: u32, from_link: u32, lane: Lane, frame: Frame },
    /// A link that the other end dialled is up.
    LinkUp { link: u32 },
    /// A link is gone.
    LinkDown { link: u32, reason: Down },
    /// Somebody dials.
    Knock(Knock),
    /// The dialled node answers; the handshake is over.
    Answer(Knock),
    /// A dial came to nothing.
    DialFailed { dial: DialId, failure: DialFailure },
}

/// A dial under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Knock {
    pub(crate) dial: DialId,
    pub(crate) from: u32,
    /// The dialler's run: one that restarted does not want the answer.
    pub(crate) from_run: u32,
    pub(crate) to: u32,
    /// The dialled node's run, once it answered.
    pub(crate) to_run: u32,
}
