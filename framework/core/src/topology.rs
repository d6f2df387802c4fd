//! The topology seam: who are my neighbours, and where does a parcel go next.
//!
//! A topology is a pure state machine. It learns of links, members, frames of its own and parcels through
//! [`Input`], and answers through the [`Outbox`]: it names the peers that it wants to be linked to, and for each
//! parcel the neighbours that get the payload at once ([`Outbox::eager`]) or only an announcement
//! ([`Outbox::lazy`]). Dialling, retrying, verifying, deduping, ordering and repairing are not its business: the
//! engine does them, the same for every topology. Frames may be lost, doubled or late on any link, so its own
//! messages must be idempotent and retried on a deadline.

use std::sync::Arc;

use bytes::Bytes;

use crate::auth::Auth;
use crate::config::Scope;
use crate::id::{Incarnation, Peer, PeerId};
use crate::peers::PeerTable;
use crate::rng::NodeRng;
use crate::time::Instant;

/// A plug-in that shapes the group. It has to be [`Clone`]: whoever explores what a group may come to does so with
/// copies of it.
pub trait Topology: Fork + Send {
    /// The name that a profile chooses it by.
    fn kind(&self) -> &'static str;

    /// True when its members elect a leader.
    fn elects(&self) -> bool {
        false
    }

    /// What it needs from the layers around it; checked when a node is assembled.
    fn needs(&self) -> Needs;

    /// Something happened.
    fn on_input(&mut self, cx: &mut Ctx<'_>, input: Input<'_>);

    /// When it wants to be woken, if at all.
    fn next_deadline(&self) -> Option<Instant>;

    /// The deadline passed. Early or spurious calls are harmless.
    fn on_deadline(&mut self, cx: &mut Ctx<'_>);

    /// What it looks like from here: for people, and for invariants.
    fn view(&self, peers: &PeerTable) -> View;

    /// False while parcels of this node have nowhere to go: what is published to the group waits, within
    /// `limits.pending`, until this is true again.
    fn accepts(&self) -> bool {
        true
    }

    /// Whether it knows one order of everybody's parcels.
    fn order(&self) -> Order {
        Order::Free
    }
}

/// Copies a topology whose type is not known. Everything that is [`Clone`] has it.
pub trait Fork {
    /// A copy that goes on by itself.
    fn fork(&self) -> Box<dyn Topology>;
}

impl<T: Topology + Clone + 'static> Fork for T {
    fn fork(&self) -> Box<dyn Topology> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Topology> {
    fn clone(&self) -> Self {
        (**self).fork()
    }
}

/// Runs of one origin whose parcels are kept at once: nothing more comes of a run before these.
pub const RUNS_MAX: usize = 4;

/// In which order messages of different origins are handed to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they come.
    Free,
    /// As they come, and the topology is told of each by [`Input::Committed`].
    Told,
    /// The topology is told of each, and says with [`Outbox::deliver`] which come next.
    Held,
}

/// What a topology needs from the layers around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The smallest roster that it works with.
    pub roster: Scope,
    /// True when it cannot live with a transport that loses or reorders frames.
    pub reliable: bool,
}

impl Needs {
    /// True when a roster of this scope is large enough.
    #[must_use]
    pub fn suits(&self, scope: Scope) -> bool {
        self.roster == Scope::View || scope == Scope::Group
    }
}

/// What a topology can see and do during one call.
pub struct Ctx<'a> {
    /// The time.
    pub now: Instant,
    /// Randomness of this node.
    pub rng: &'a mut NodeRng,
    /// Everybody known: ids, nicks, states, addresses, who is linked.
    pub peers: &'a PeerTable,
    /// Signatures, for topologies whose messages need them.
    pub auth: &'a dyn Auth,
    /// Where its answers go.
    pub out: &'a mut Outbox,
}

impl Ctx<'_> {
    /// This node's id.
    #[must_use]
    pub fn me(&self) -> PeerId {
        self.peers.id(Peer::ME)
    }
}

/// What a topology is told.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// What an earlier run of this node asked to be kept with [`Outbox::persist`]; told once, before anything else.
    Restored {
        /// The last that was kept.
        slot: &'a Bytes,
    },
    /// This node is the first of its group: it is a member from now on. Comes after [`Join`](Input::Join) when the
    /// contact is gone and nobody else answers.
    Found,
    /// This node wants to become a member through `contact`, to which it is linked. The topology answers with
    /// [`Outbox::joined`] or [`Outbox::refuse`], and retries by itself while the link stands.
    Join {
        /// A member of the group.
        contact: Peer,
        /// The nick that this node asks for.
        nick: Arc<str>,
        /// When it claimed it, milliseconds since the Unix epoch.
        claimed_at: u64,
    },
    /// This node goes: mend what its absence would break, then call [`Outbox::left`].
    Leave,
    /// A link is up; the peer may not be a member yet.
    LinkUp {
        /// Who is at the other end.
        peer: Peer,
    },
    /// A link is gone.
    LinkDown {
        /// Who was at the other end.
        peer: Peer,
    },
    /// A frame of this topology.
    Frame {
        /// From whom.
        from: Peer,
        /// What was sent.
        body: &'a Bytes,
    },
    /// A parcel wants to travel on: name the neighbours with [`Outbox::eager`] and [`Outbox::lazy`]. The sender
    /// and the origin are left out by the engine whether named or not.
    Route {
        /// Which one.
        parcel: Routed,
        /// The neighbour it came from; `None` for one's own.
        from: Option<Peer>,
        /// First time or again. A duplicate travels nowhere: it is told for bookkeeping.
        novelty: Novelty,
    },
    /// A group parcel, one's own too, was taken in the order of its stream. Told to topologies that order alone.
    Committed {
        /// Who signed it.
        origin: Peer,
        /// The origin's run.
        incarnation: Incarnation,
        /// Its number in the origin's stream.
        number: u64,
    },
    /// A neighbour had to pull a parcel that was only announced to it; eager would have served it better.
    Pulled {
        /// The neighbour.
        by: Peer,
        /// Whose parcel it was.
        origin: Peer,
    },
    /// The roster changed: a member came, went, or is in another state; read it from the table.
    Member {
        /// Which one.
        peer: Peer,
    },
    /// The engine has dropped all it knew of a peer; its handle will name another.
    Forgotten {
        /// Which one.
        peer: Peer,
    },
}

/// What a topology needs to know of a parcel to route it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routed {
    /// Who signed it.
    pub origin: Peer,
    /// The one member that it is for, when it is no group parcel; possibly not known here.
    pub to: Option<PeerId>,
    /// Links it has crossed.
    pub hops: u8,
    /// Its number in the origin's stream.
    pub number: u64,
    /// Bytes on the wire.
    pub len: usize,
}

/// First time, or again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// Not seen before.
    New,
    /// Seen before.
    Duplicate,
}

/// What a topology answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Keep this for the next run; frames of this topology that follow are sent only once it is safe.
    Persist(Bytes),
    /// Send a frame of this topology.
    Send(Peer, Bytes),
    /// Send the parcel being routed.
    Eager(Peer),
    /// Announce the parcel being routed.
    Lazy(Peer),
    /// Keep a link to this peer: dial now, redial with back-off.
    Want(Peer),
    /// The link is no longer needed by this side.
    Release(Peer),
    /// Somebody may be reached here.
    Learn(PeerId, Vec<Arc<str>>),
    /// This node is a member now.
    Joined,
    /// This node was not let in.
    Refused {
        /// Stable, for scripts.
        code: &'static str,
        /// Why.
        reason: String,
    },
    /// All that leaving needs has been said.
    Left,
    /// These come next, in this order, each stream up to a number. Each waits until the parcel is here.
    Deliver(Vec<(PeerId, Incarnation, u64)>),
    /// The leader changed: who, in which term, and the certificate that proves it, where there is one.
    Leader(PeerId, u64, Bytes),
    /// Something that people should know is being waited for.
    Waiting(String),
    /// A documented message was sent (`true`) or received, for the log and `/trace`.
    Trace(&'static str, Peer, bool),
}

/// Collects what a topology answers during one call.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    acts: Vec<Act>,
}

impl Outbox {
    /// Keeps a few KiB for the next run of this node, in place of what was kept before. Frames of this topology sent
    /// after it leave only once it is safe; should it not be kept, they are lost.
    pub fn persist(&mut self, slot: Bytes) {
        self.acts.push(Act::Persist(slot));
    }

    /// Sends a frame of this topology on the control lane. Lost when there is no link.
    pub fn send(&mut self, to: Peer, body: Bytes) {
        self.acts.push(Act::Send(to, body));
    }

    /// The parcel being routed goes to this neighbour.
    pub fn eager(&mut self, to: Peer) {
        self.acts.push(Act::Eager(to));
    }

    /// The parcel being routed is announced to this neighbour.
    pub fn lazy(&mut self, to: Peer) {
        self.acts.push(Act::Lazy(to));
    }

    /// A link to this peer is wanted from now on.
    pub fn want(&mut self, peer: Peer) {
        self.acts.push(Act::Want(peer));
    }

    /// A link to this peer is not wanted any more; it closes when the other side does not want it either.
    pub fn release(&mut self, peer: Peer) {
        self.acts.push(Act::Release(peer));
    }

    /// Tells the engine where somebody may be reached.
    pub fn learn(&mut self, id: PeerId, addrs: Vec<Arc<str>>) {
        self.acts.push(Act::Learn(id, addrs));
    }

    /// This node is a member now.
    pub fn joined(&mut self) {
        self.acts.push(Act::Joined);
    }

    /// This node was not let in.
    pub fn refuse(&mut self, code: &'static str, reason: String) {
        self.acts.push(Act::Refused { code, reason });
    }

    /// All that leaving needs has been said.
    pub fn left(&mut self) {
        self.acts.push(Act::Left);
    }

    /// The next deliveries, where the topology [orders](Topology::order) them.
    pub fn deliver(&mut self, next: Vec<(PeerId, Incarnation, u64)>) {
        self.acts.push(Act::Deliver(next));
    }

    /// The leader changed. `proof` is its encoded [certificate](crate::ballot::Certificate), empty without one.
    pub fn leader(&mut self, leader: PeerId, term: u64, proof: Bytes) {
        self.acts.push(Act::Leader(leader, term, proof));
    }

    /// Something is being waited for.
    pub fn waiting(&mut self, reason: String) {
        self.acts.push(Act::Waiting(reason));
    }

    /// Notes a documented message for the log and `/trace`.
    pub fn trace(&mut self, name: &'static str, peer: Peer, sent: bool) {
        self.acts.push(Act::Trace(name, peer, sent));
    }

    /// Takes what was answered, leaving the memory to be used again.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Act> {
        self.acts.drain(..)
    }
}

/// What a topology looks like from one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The name of the topology.
    pub kind: &'static str,
    /// Members and their roles, in the topology's own order (rings: in ring order), oneself included.
    pub nodes: Vec<(Peer, &'static str)>,
    /// Links that the whole group is believed to have.
    pub links: Vec<(Peer, Peer)>,
    /// Peers that this node wants to be linked to, or that lean on a link to it, nearest first.
    pub neighbours: Vec<Peer>,
    /// The leader, where there is one.
    pub leader: Option<Peer>,
    /// The leader's term.
    pub term: Option<u64>,
    /// The members whose majority elects the next leader, as far as they agreed on it; ascending.
    pub electors: Vec<PeerId>,
}
