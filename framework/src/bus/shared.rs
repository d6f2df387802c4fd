//! What a node's handles and its driver share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tertulia_core::engine::Stats;
use tertulia_core::id::{Incarnation, Peer as Slot, PeerId};
use tertulia_core::peers::{Addr, PeerTable, State};
use tokio::sync::{Notify, oneshot};

use super::hub::Hub;
use super::outgoing::Outgoing;
use super::request::Pending;
use crate::link::Locator;

/// A member, as far as is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub peer: PeerId,
    /// Its nick.
    pub nick: Arc<str>,
    /// What is believed of it.
    pub state: State,
    /// Its run.
    pub incarnation: Incarnation,
    /// Where it can be dialled.
    pub addrs: Vec<Addr>,
    /// True when there is a link to it.
    pub linked: bool,
    /// Smoothed round trip on that link.
    pub rtt: Option<std::time::Duration>,
}

/// A topology as seen from one node, with ids and nicks in place of table indices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopologyView {
    /// The name of the topology.
    pub kind: &'static str,
    /// Members and their roles, in the topology's own order (rings: in ring order), oneself included.
    pub nodes: Vec<(PeerId, Arc<str>, &'static str)>,
    /// Links that the whole group is believed to have.
    pub links: Vec<(PeerId, PeerId)>,
    /// Neighbours of this node, nearest first.
    pub neighbours: Vec<PeerId>,
    /// The leader, where there is one.
    pub leader: Option<PeerId>,
    /// The leader's term.
    pub term: Option<u64>,
}

/// A question to the driver.
#[derive(Debug)]
pub(crate) enum Command {
    /// Everybody known.
    Members(oneshot::Sender<Vec<Member>>),
    /// The topology.
    View(oneshot::Sender<TopologyView>),
    /// The engine's figures.
    Stats(oneshot::Sender<Stats>),
    /// This member does not answer.
    Report(PeerId),
}

/// What a node's handles and its driver share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) me: PeerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) addr: Locator,
    pub(crate) outgoing: Outgoing,
    pub(crate) hub: Arc<Hub>,
    pub(crate) pending: Arc<Pending>,
    /// Ids of everybody known, sorted: whom direct messages can be sent to.
    pub(crate) known: Mutex<Arc<[PeerId]>>,
    /// This node's nick.
    pub(crate) nick: Mutex<Arc<str>>,
    /// Somebody asked to leave.
    leave: AtomicBool,
    /// Wakes the driver.
    pub(crate) wake: Arc<Notify>,
}

impl Shared {
    pub(crate) fn new(
        addr: Locator,
        nick: Arc<str>,
        ids: (PeerId, Incarnation),
        outgoing: Outgoing,
        hub: Arc<Hub>,
        pending: Arc<Pending>,
        wake: Arc<Notify>,
    ) -> Self {
        Shared {
            me: ids.0,
            incarnation: ids.1,
            addr,
            outgoing,
            hub,
            pending,
            known: Mutex::new(Arc::from([])),
            nick: Mutex::new(nick),
            leave: AtomicBool::new(false),
            wake,
        }
    }

    /// Asks the driver to leave.
    pub(crate) fn leave(&self) {
        self.leave.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// True once somebody asked to leave.
    pub(crate) fn leaving(&self) -> bool {
        self.leave.load(Ordering::Acquire)
    }

    /// True when this id is known and not one's own.
    pub(crate) fn knows(&self, id: &PeerId) -> bool {
        *id != self.me && self.known.lock().binary_search(id).is_ok()
    }
}

/// Everybody known who is or was a member.
pub(crate) fn members(peers: &PeerTable) -> Vec<Member> {
    let list = peers.iter().filter(|(_, e)| e.state != State::Unknown);
    list.map(|(_, e)| Member {
        peer: e.id,
        nick: e.nick.clone(),
        state: e.state,
        incarnation: e.incarnation,
        addrs: e.addrs.clone(),
        linked: e.linked,
        rtt: e.rtt,
    })
    .collect()
}

/// The topology with names.
pub(crate) fn view(engine: &tertulia_core::engine::Engine) -> TopologyView {
    let (view, peers) = (engine.view(), engine.peers());
    let id = |peer: Slot| peers.id(peer);
    TopologyView {
        kind: view.kind,
        nodes: view.nodes.iter().map(|(p, role)| (id(*p), peers.get(*p).nick.clone(), *role)).collect(),
        links: view.links.iter().map(|(a, b)| (id(*a), id(*b))).collect(),
        neighbours: view.neighbours.iter().map(|p| id(*p)).collect(),
        leader: view.leader.map(id),
        term: view.term,
    }
}
