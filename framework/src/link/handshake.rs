//! The seam of crypto suites: handshakes without I/O.

use std::fmt;
use std::sync::Arc;

use tertulia_core::id::{Incarnation, PeerId};

use super::{Opener, Refusal, Sealer};
use crate::crypto::{GroupKey, Identity};

/// The version of the link protocol. It stands in the clear in the first message of every suite.
pub const PROTOCOL: u16 = 1;

/// The longest message of a handshake.
pub const HANDSHAKE_MAX: usize = 4096;

/// Decides whom to link with: the one function of admission.
///
/// Asked with no peer as soon as the other side's epoch is known, before anything of ourselves is shown, and
/// again with the peer once its identity is proven.
pub type Admission = Arc<dyn Fn(Option<&PeerId>, u64) -> Result<(), Refusal> + Send + Sync>;

/// Set in the epoch of whoever speaks to a service of discovery, or is one: what is meant for a service never reaches a
/// member, nor the other way round.
pub const SERVICE: u64 = 1 << 63;

/// Set in the epoch of members that are authenticated by a key manager (see [`Vouched`](crate::crypto::Vouched)), and of
/// services that ask them: they link with nobody who is not.
pub const VOUCHED: u64 = 1 << 62;

/// The usual admission: every holder of the secret that is in this epoch.
#[must_use]
pub fn admit_epoch(epoch: u64) -> Admission {
    Arc::new(move |_, theirs| match theirs ^ epoch {
        0 => Ok(()),
        differs if differs & SERVICE != 0 => Err(Refusal::Service),
        differs if differs & VOUCHED != 0 => Err(Refusal::Keys),
        _ => Err(Refusal::Epoch),
    })
}

/// Which end of a link one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Dialled, and speaks first.
    Initiator,
    /// Accepted.
    Responder,
}

/// What a member brings to every handshake.
#[derive(Clone)]
pub struct HandshakeParams {
    /// Who we are.
    pub identity: Arc<Identity>,
    /// The group, and proof of belonging to it.
    pub group: Arc<GroupKey>,
    /// Our present run.
    pub incarnation: Incarnation,
    /// The epoch of the group that we are in.
    pub epoch: u64,
    /// Whom to link with.
    pub admit: Admission,
}

impl fmt::Debug for HandshakeParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeParams")
            .field("identity", &self.identity)
            .field("group", &self.group)
            .field("incarnation", &self.incarnation)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// What the profile says that a suite may have to object to.
#[derive(Clone, Copy, Debug, Default)]
pub struct CryptoCheck {
    /// `crypto.allow_plaintext`.
    pub allow_plaintext: bool,
}

/// A crypto suite: handshakes, and the protection of records that comes out of them.
pub trait Crypto: Send + Sync {
    /// The name by which profiles choose this suite.
    fn kind(&self) -> &'static str;

    /// Objects, in one sentence with the remedy, to a profile under which this suite must not run.
    fn check(&self, profile: &CryptoCheck) -> Result<(), String>;

    /// Begins one handshake.
    fn handshake(&self, role: Role, params: &HandshakeParams) -> Result<Box<dyn Handshake>, HandshakeError>;
}

/// One side of one handshake. It reads and writes whole messages and does no I/O.
///
/// After each call, successful or not, the bytes in `out` (if any) are one message for the other side. They are
/// to be sent before the link is used or closed, so that a refusal reaches the one who is refused.
pub trait Handshake: Send {
    /// Writes the first message; the responder has none.
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), HandshakeError>;

    /// Reads a message of the other side. No call may follow [`Step::Done`] or an error.
    fn read(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError>;
}

/// Where a handshake stands.
#[derive(Debug)]
pub enum Step {
    /// Another message is awaited.
    Wait,
    /// Both sides proved what they had to, and agreed.
    Done(Session),
}

/// What a handshake yields.
pub struct Session {
    /// The other side, proven.
    pub peer: PeerId,
    /// The other side's run.
    pub incarnation: Incarnation,
    /// The other side's epoch.
    pub epoch: u64,
    /// The same on both sides and known to nobody else: for messages of the transport's own
    /// (see [`LinkTx::established`](super::LinkTx::established)).
    pub transport_key: [u8; 32],
    /// Protects what we send.
    pub sealer: Box<dyn Sealer>,
    /// Opens what we receive.
    pub opener: Box<dyn Opener>,
}

impl Session {
    /// The number of the first record in each direction; lower ones belong to the handshake.
    pub const FIRST: u64 = 1;
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.peer)
            .field("incarnation", &self.incarnation)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// Who refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This side, for what the other one sent.
    Us,
    /// The other side, as it says (see [`Refusal`] on how far to believe it).
    Them,
}

/// A handshake that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeError {
    /// Who refused.
    pub side: Side,
    /// Why.
    pub refusal: Refusal,
    /// With [`Refusal::IdentityInUse`] on our side: the run of the other holder of our identity, proven. The
    /// lower of the two leaves.
    pub twin: Option<Incarnation>,
}

impl HandshakeError {
    /// We refuse.
    #[must_use]
    pub const fn ours(refusal: Refusal) -> Self {
        HandshakeError { side: Side::Us, refusal, twin: None }
    }

    /// The other side refused.
    #[must_use]
    pub const fn theirs(refusal: Refusal) -> Self {
        HandshakeError { side: Side::Them, refusal, twin: None }
    }

    /// The stable text for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.refusal.code()
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.refusal.hint()
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.side {
            Side::Us => "refused the other side",
            Side::Them => "refused by the other side",
        };
        write!(f, "{who}: {}; {}", self.refusal, self.refusal.hint())
    }
}

impl std::error::Error for HandshakeError {}
