//! What the bus refuses, and why.

use std::time::Duration;

/// A message that was not accepted. Nothing of it was sent, and no number was used up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Longer than `limits.message`.
    #[error("a message of {len} bytes is longer than the {limit} that limits.message allows")]
    TooLarge {
        /// Bytes of the payload.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// `limits.pending` bytes wait already; only [`try_publish`](super::Node::try_publish) and
    /// [`try_send`](super::Node::try_send) say so, the others wait.
    #[error("limits.pending bytes wait to be sent: try again later")]
    Full,
    /// No room can have this name.
    #[error("a room's name has at most {max} bytes", max = tertulia_core::message::ROOM_MAX)]
    UnknownRoom,
    /// Kinds from `0xff00` are the bus's own.
    #[error("kind {0:#06x} is reserved: an application's kinds end at 0xfeff")]
    ReservedKind(u16),
    /// This node is no member yet.
    #[error("this node is no member yet: wait for the ready event")]
    NotReady,
    /// This node has left, or is leaving.
    #[error("this node has left the group")]
    Left,
    /// Nobody of this id is or was a member, as far as is known here.
    #[error("no member has this id")]
    NoSuchMember,
    /// The codec could not write the value.
    #[error("the codec cannot write this value: {0}")]
    Codec(String),
}

/// A request that brought no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It could not be sent.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// No answer came in time. It may have been received all the same.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The recipient's application answers no requests.
    #[error("the recipient answers no requests")]
    Unanswered,
    /// The recipient is gone.
    #[error("the request cannot be delivered: {0}")]
    Undeliverable(&'static str),
    /// Too many requests wait for answers.
    #[error("too many requests wait for an answer already")]
    TooMany,
}

/// A node that could not start.
#[derive(Debug, thiserror::Error)]
#[error("{reason}; {hint}")]
pub struct StartError {
    code: &'static str,
    reason: String,
    hint: String,
}

impl StartError {
    /// A failure with a stable code, its reason and the next step.
    #[must_use]
    pub fn new(code: &'static str, reason: impl Into<String>, hint: impl Into<String>) -> Self {
        StartError { code, reason: reason.into(), hint: hint.into() }
    }

    /// The stable code, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// How a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It left, and everything that it had accepted was handed on.
    Left,
    /// It left with messages that were not sent, or that not every member had confirmed, within the time allowed.
    LeftEarly,
    /// It was not let in, or had to go.
    Refused {
        /// Stable, for scripts.
        code: &'static str,
        /// Why.
        reason: String,
    },
    /// Its driver ended without saying why; a defect.
    Failed,
}
