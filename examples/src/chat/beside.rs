//! What a chat program does beside the conversation: its documented messages, timers and lists.
//!
//! Such a part is a pure state machine. It is told what happened and what time it is, and says what to do; so it is
//! tested in virtual time.

use tertulia_core::engine::api::Event;
use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;

use super::told::Told;

/// The time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Since the conversation began.
    pub(crate) at: Instant,
    /// Milliseconds since the Unix epoch, for people.
    pub(crate) ms: u64,
}

/// A message that is no text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'a> {
    /// Whose it is.
    pub(crate) from: PeerId,
    /// Its nick.
    pub(crate) nick: &'a str,
    /// Links that it crossed.
    pub(crate) hops: u8,
    /// Its kind.
    pub(crate) kind: u16,
    /// What it says.
    pub(crate) payload: &'a [u8],
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    /// Tell this.
    Tell(Told),
    /// Publish this to the group.
    Publish {
        /// The kind of the message.
        kind: u16,
        /// What it says.
        text: String,
    },
    /// Send this to one member.
    Send {
        /// To whom.
        to: PeerId,
        /// The kind of the message.
        kind: u16,
        /// What it says.
        text: String,
    },
    /// Tell the services that this member is dead.
    Report(PeerId),
}

/// What a program does beside the conversation.
pub(crate) trait Beside: Send {
    /// Something happened.
    fn on_event(&mut self, now: Now, event: &Event) -> Vec<Act>;
    /// A message came that is no text.
    fn on_message(&mut self, now: Now, heard: &Heard<'_>) -> Vec<Act>;
    /// When to be woken.
    fn next_deadline(&self) -> Option<Instant>;
    /// It is that time; too early does no harm.
    fn on_deadline(&mut self, now: Now) -> Vec<Act>;
    /// True while it has something to do that the end of input is to wait for.
    fn is_busy(&self) -> bool {
        false
    }
}

/// Nothing.
impl Beside for () {
    fn on_event(&mut self, _: Now, _: &Event) -> Vec<Act> {
        Vec::new()
    }
    fn on_message(&mut self, _: Now, _: &Heard<'_>) -> Vec<Act> {
        Vec::new()
    }
    fn next_deadline(&self) -> Option<Instant> {
        None
    }
    fn on_deadline(&mut self, _: Now) -> Vec<Act> {
        Vec::new()
    }
}
