//! Everybody that this engine knows of, by dense index.

use core::ops::Bound;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{Incarnation, Peer, PeerId, SealKey};

/// A dialable address of a member, as written in a locator; opaque to the core.
pub type Addr = Arc<str>;
/// Bytes of an address at most.
pub const ADDR_MAX: usize = 255;
/// Addresses that a member announces at most.
pub const ADDRS_MAX: usize = 4;
/// Bytes of a nick at most.
pub const NICK_MAX: usize = 32;

/// What is believed of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// No member: heard of, or linked and not admitted yet.
    #[default]
    Unknown,
    /// A running member.
    Alive,
    /// A member that does not answer and may still refute.
    Suspect,
    /// A member that did not refute in time.
    Dead,
    /// A member that said goodbye.
    Left,
}

impl State {
    /// The state's name in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Unknown => "unknown",
            State::Alive => "alive",
            State::Suspect => "suspect",
            State::Dead => "dead",
            State::Left => "left",
        }
    }

    /// True for members that are believed to run.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, State::Alive | State::Suspect)
    }
}

/// What is known of one peer.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its public key.
    pub id: PeerId,
    /// What is believed of it.
    pub state: State,
    /// Its run, zero until known.
    pub incarnation: Incarnation,
    /// The version of its record within the run; it alone raises it.
    pub version: u64,
    /// Its nick, empty until known.
    pub nick: Arc<str>,
    /// When it claimed the nick: milliseconds since the Unix epoch, by its own clock.
    pub claimed_at: u64,
    /// Where it can be dialled.
    pub addrs: Vec<Addr>,
    /// What direct messages to it are sealed to.
    pub seal_key: SealKey,
    /// True while a link to it is up.
    pub linked: bool,
    /// Smoothed round trip on that link.
    pub rtt: Option<Duration>,
}

impl Entry {
    fn new(id: PeerId) -> Self {
        Entry {
            id,
            state: State::Unknown,
            incarnation: Incarnation(0),
            version: 0,
            nick: Arc::from(""),
            claimed_at: 0,
            addrs: Vec::new(),
            seal_key: SealKey::default(),
            linked: false,
            rtt: None,
        }
    }

    /// True for members that are believed to run.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state.is_live()
    }
}

/// Everybody known, oneself at [`Peer::ME`]. Entries keep their index until they are forgotten.
#[derive(Clone, Debug)]
pub struct PeerTable {
    entries: Vec<Entry>,
    by_id: BTreeMap<PeerId, Peer>,
    free: Vec<Peer>,
}

impl PeerTable {
    /// A table that knows only its owner.
    #[must_use]
    pub fn new(me: PeerId) -> Self {
        PeerTable { entries: vec![Entry::new(me)], by_id: BTreeMap::from([(me, Peer::ME)]), free: Vec::new() }
    }

    /// The peer with this id, if known.
    #[must_use]
    pub fn find(&self, id: &PeerId) -> Option<Peer> {
        self.by_id.get(id).copied()
    }

    /// What is known of a peer. A handle that was forgotten reads as an unknown peer.
    #[must_use]
    pub fn get(&self, peer: Peer) -> &Entry {
        &self.entries[peer.index()]
    }

    /// The id of a peer.
    #[must_use]
    pub fn id(&self, peer: Peer) -> PeerId {
        self.entries[peer.index()].id
    }

    /// Changes what is known of a peer. For the engine; a topology sees the table read-only.
    pub fn get_mut(&mut self, peer: Peer) -> &mut Entry {
        &mut self.entries[peer.index()]
    }

    /// The peer with this id, added as unknown when it is new.
    pub fn intern(&mut self, id: PeerId) -> Peer {
        if let Some(peer) = self.find(&id) {
            return peer;
        }
        let peer = match self.free.pop() {
            Some(peer) => {
                self.entries[peer.index()] = Entry::new(id);
                peer
            }
            None => {
                self.entries.push(Entry::new(id));
                Peer((self.entries.len() - 1) as u32)
            }
        };
        self.by_id.insert(id, peer);
        peer
    }

    /// Forgets a peer; its index will be given to another.
    pub fn forget(&mut self, peer: Peer) {
        let id = self.id(peer);
        if peer != Peer::ME && self.by_id.remove(&id).is_some() {
            self.entries[peer.index()] = Entry::new(PeerId::default());
            self.free.push(peer);
        }
    }

    /// Peers known, oneself included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// False: one always knows oneself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// One more than the largest index in use: the size of a per-peer table.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.entries.len()
    }

    /// Everybody known, by id.
    pub fn iter(&self) -> impl Iterator<Item = (Peer, &Entry)> {
        self.by_id.values().map(|&peer| (peer, self.get(peer)))
    }

    /// Members believed to run, oneself included once a member, by id.
    pub fn live(&self) -> impl Iterator<Item = (Peer, &Entry)> {
        self.iter().filter(|(_, e)| e.is_live())
    }

    /// Everybody known but oneself, clockwise by id: first whoever comes after oneself, last whoever comes before.
    pub fn clockwise(&self) -> impl DoubleEndedIterator<Item = (Peer, &Entry)> {
        let me = self.id(Peer::ME);
        let after = self.by_id.range((Bound::Excluded(me), Bound::Unbounded));
        after.chain(self.by_id.range(..me)).map(|(_, &peer)| (peer, self.get(peer)))
    }

    /// The live member that holds a nick.
    #[must_use]
    pub fn nick_holder(&self, nick: &str) -> Option<Peer> {
        self.live().find(|(_, e)| &*e.nick == nick).map(|(peer, _)| peer)
    }
}
