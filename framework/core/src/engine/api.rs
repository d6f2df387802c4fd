//! What drivers hand to an engine, and what they get.

use std::sync::Arc;

use bytes::Bytes;

use crate::frame::{Frame, Lane};
use crate::id::{Incarnation, MessageId, Peer, PeerId};
use crate::message::{Draft, Messages};
use crate::parcel::Parcel;
use crate::peers::Addr;
use crate::time::Instant;

/// A link, numbered by the driver; never used again within one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// A dial, numbered by the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// What a driver tells an engine. The one door: replay, golden traces and fuzzing use it too.
#[derive(Clone, Debug)]
pub enum Input {
    /// Be the first of a new group. While joining this is heeded only as long as no member answers.
    Found,
    /// Become a member through any of these addresses, or the address book's when there are none. While joining:
    /// through these as well; those already known are left as they are.
    Join(Vec<Addr>),
    /// Leave once pending deliveries are done, and be gone by then in any case.
    Leave(Instant),
    /// A link is authenticated and up.
    LinkUp {
        /// The driver's number for it.
        link: LinkId,
        /// Who is at the other end.
        peer: PeerId,
        /// The other end's run.
        incarnation: Incarnation,
        /// The dial that it came from; `None` when the other end dialled.
        dial: Option<DialId>,
    },
    /// A link is gone.
    LinkDown {
        /// Which one.
        link: LinkId,
        /// Why.
        reason: Down,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Which one.
        dial: DialId,
        /// Why.
        failure: DialFailure,
    },
    /// A frame arrived.
    Frame {
        /// On which link.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Consecutive messages of this node, to be made a parcel.
    Publish {
        /// The recipient, or the group.
        to: Option<PeerId>,
        /// The messages.
        draft: Draft,
    },
    /// Members of this group can be reached here, as others say: an address that is no live member's is dialled once, so
    /// that halves that have never heard of each other meet. Heeded by members only.
    Meet(Vec<Addr>),
    /// The driver's other addresses changed: where this node can be dialled.
    Addrs(Vec<Addr>),
}

/// Why a link is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// The other end closed it, or its process ended.
    Closed,
    /// Bytes arrived that the other end cannot have sent.
    Corrupt,
    /// The transport failed.
    Failed,
}

/// Why a dial came to nothing: a sentence for people that names the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialFailure {
    /// Nobody listens there.
    Nobody(String),
    /// No answer in time, or another trouble that may pass.
    Trouble(String),
    /// The other end refused, with a stable code (see the link layer) and its meaning.
    Refused {
        /// Stable, for scripts.
        code: &'static str,
        /// What it means.
        reason: String,
        /// What to do next.
        hint: &'static str,
        /// True when another try cannot help: wrong secret, version, epoch.
        fatal: bool,
        /// True when it is a member of this group that refuses: no other group is to be founded beside it.
        member: bool,
    },
}

/// What an engine wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Put a frame on a link's lane; a full lane drops it and nothing else need be done.
    Send {
        /// Which link.
        link: LinkId,
        /// Which lane.
        lane: Lane,
        /// What.
        frame: Frame,
    },
    /// Dial an address and shake hands.
    Dial {
        /// To be named in the answer.
        dial: DialId,
        /// Where.
        addr: Addr,
    },
    /// Close a link once its control lane is empty, at most a second later.
    Close {
        /// Which one.
        link: LinkId,
        /// Why, for the log.
        reason: CloseReason,
    },
    /// Messages for the application.
    Deliver(Delivered),
    /// Something for people or scripts.
    Event(Event),
    /// Keep this for the next run's [`Setup::slot`](super::Setup::slot). Frames of the kind
    /// [`Topology`](crate::frame::FrameKind::Topology) that follow must not leave before it is safe.
    Persist(Bytes),
    /// The address book changed: store it.
    Book(Vec<(PeerId, Vec<Addr>)>),
    /// All is over: leaving is done, or [`Event::Refused`] said why.
    Stop,
}

/// Why an engine closes a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Another link to the same peer stays.
    Replaced,
    /// Neither side needs it.
    Unneeded,
    /// The peer was declared dead.
    Dead,
    /// The peer sent what no honest peer sends.
    Misbehaved(&'static str),
    /// Too many links.
    Full,
    /// This node leaves.
    Leaving,
}

/// Messages of one parcel, in order, never one's own.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Who published them.
    pub origin: Peer,
    /// Who published them, by key.
    pub id: PeerId,
    /// The origin's nick as known now.
    pub nick: Arc<str>,
    /// The origin's run.
    pub incarnation: Incarnation,
    /// The number of the first message.
    pub first_seq: u64,
    /// How many there are.
    pub count: u32,
    /// True for messages to this node alone.
    pub direct: bool,
    /// True when they were published before this node was ready.
    pub history: bool,
    /// Links that the parcel crossed.
    pub hops: u8,
    /// The messages' bytes; walk them with [`messages`](Delivered::messages).
    pub body: Bytes,
}

impl Delivered {
    /// The messages.
    pub fn messages(&self) -> Messages {
        Messages::new(self.body.clone())
    }

    /// The id of the message at `index`.
    #[must_use]
    pub fn message_id(&self, index: u64, me: PeerId) -> MessageId {
        MessageId {
            origin: self.id,
            incarnation: self.incarnation,
            to: self.direct.then_some(me),
            seq: self.first_seq + index,
        }
    }

    pub(crate) fn of(parcel: &Parcel, nick: Arc<str>) -> Self {
        let h = &parcel.header;
        Delivered {
            origin: Peer::ME,
            id: h.origin,
            nick,
            incarnation: h.incarnation,
            first_seq: h.first_seq,
            count: h.count,
            direct: false,
            history: false,
            hops: 0,
            body: parcel.body(),
        }
    }
}

/// Something for people or scripts. Fields as in the events of the programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This node is a member.
    Ready {
        /// Its nick, possibly suffixed.
        nick: Arc<str>,
    },
    /// A new member.
    Joined(Who),
    /// A member said goodbye.
    Left(Who, &'static str),
    /// A member does not answer.
    Suspect(Who, &'static str),
    /// A suspect did not refute in time.
    Dead(Who, &'static str),
    /// A suspect or dead member is back.
    Recovered(Who, &'static str),
    /// A member has another nick.
    Renamed {
        /// The member's key.
        peer: PeerId,
        /// The nick before.
        old: Arc<str>,
        /// The nick now.
        new: Arc<str>,
    },
    /// The neighbours changed.
    Neighbours(Vec<Who>),
    /// The leader changed.
    Leader {
        /// Who leads.
        leader: Who,
        /// In which term.
        term: u64,
        /// The encoded [certificate](crate::ballot::Certificate) of its election; empty where there is none.
        proof: Bytes,
    },
    /// Messages that nobody keeps any more were skipped.
    Gap {
        /// Whose.
        origin: PeerId,
        /// Of which run.
        incarnation: Incarnation,
        /// The first one missing.
        from_seq: u64,
        /// The last one missing.
        to_seq: u64,
    },
    /// Something is being waited for.
    Waiting(String),
    /// What became of one's own messages `from_seq..=to_seq`.
    Delivery {
        /// The recipient, or the group.
        to: Option<PeerId>,
        /// The first message.
        from_seq: u64,
        /// The last message.
        to_seq: u64,
        /// Members that have them.
        reached: u32,
        /// Members that should.
        of: u32,
    },
    /// Direct messages that did not arrive in time, and may never.
    Undeliverable {
        /// The recipient.
        to: PeerId,
        /// The first message.
        from_seq: u64,
        /// The last message.
        to_seq: u64,
        /// Why.
        reason: &'static str,
    },
    /// This node was not let in, or has to go.
    Refused {
        /// Stable, for scripts.
        code: &'static str,
        /// Why.
        reason: String,
        /// What to do next.
        hint: &'static str,
    },
    /// Something went wrong and is being dealt with.
    Trouble {
        /// Stable, for scripts.
        code: &'static str,
        /// What.
        reason: String,
        /// What to do next.
        hint: &'static str,
    },
    /// A documented message of the topology, sent or received.
    Trace {
        /// Its documented name.
        name: &'static str,
        /// The other end.
        peer: PeerId,
        /// Sent by this node.
        sent: bool,
    },
}

/// A member as events name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Its key.
    pub peer: PeerId,
    /// Its nick.
    pub nick: Arc<str>,
    /// Where it can be dialled.
    pub addr: Option<Addr>,
}
