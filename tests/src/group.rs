//! Groups of members in one process, over memory, or over TCP or UDP on loopback.

use std::sync::Arc;

use tertulia::bus::{Builder, Events, Node};
use tertulia::crypto::{GroupKey, GroupSecret, noise, plain};
use tertulia::link::{Crypto, Transport};
use tertulia_core::config::EngineConfig;
use tertulia_core::engine::api::Event;
use tertulia_core::topology::Topology;
use tertulia_topologies::leader_star::{self, Routing};
use tertulia_topologies::mesh::{self, Choice, Degree};
use tertulia_topologies::ring;
use tertulia_transports::{memory, tcp, udp};

use crate::behind::Behind;
use crate::lossy::{Faults, Lossy};
use crate::proxy::Proxy;
use crate::wait::{event, soon};

/// What protects links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// `noise`.
    Noise,
    /// `plain`.
    Plain,
}

/// Who is whose neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `ring`.
    Ring,
    /// `redundant-ring`.
    RedundantRing,
    /// `mesh`, with everybody or so many for neighbours, chosen so.
    Mesh(Degree, Choice),
    /// `leader-star`, from member to member or through the leader.
    LeaderStar(Routing),
}

/// What links run over.
#[derive(Clone, Debug)]
pub enum Wire {
    /// `memory`, between all that share a hub.
    Memory(memory::Hub),
    /// `tcp`.
    Tcp,
    /// `udp`.
    Udp(udp::Config),
}

impl Wire {
    /// Its name in profiles.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Wire::Memory(_) => memory::KIND,
            Wire::Tcp => tcp::KIND,
            Wire::Udp(_) => udp::KIND,
        }
    }
}

/// What the members of a group have in common.
#[derive(Clone, Debug)]
pub struct Group {
    /// The engine's settings.
    pub config: EngineConfig,
    /// The crypto suite.
    pub suite: Suite,
    /// The topology.
    pub shape: Shape,
    /// The transport.
    pub wire: Wire,
    /// The key.
    pub key: Arc<GroupKey>,
    /// The epoch.
    pub epoch: u32,
}

/// A member that is ready, and its events from the very first.
pub struct Member {
    /// Its handle.
    pub node: Node,
    /// Its events.
    pub events: Events,
}

/// The key of the group of this name with this secret.
#[must_use]
pub fn key(name: &str, secret: u8) -> Arc<GroupKey> {
    Arc::new(GroupKey::new(name, &GroupSecret::from_bytes([secret; 32])).unwrap())
}

impl Group {
    /// A group with the usual settings.
    #[must_use]
    pub fn new(suite: Suite, shape: Shape) -> Self {
        Group {
            config: EngineConfig::default(),
            suite,
            shape,
            wire: Wire::Tcp,
            key: key("test", 1),
            epoch: 0,
        }
    }

    pub(crate) fn crypto(&self) -> Arc<dyn Crypto> {
        match self.suite {
            Suite::Noise => noise::build(&noise::Config::default()),
            Suite::Plain => plain::build(&plain::Config::default()),
        }
    }

    fn topology(&self) -> Box<dyn Topology> {
        match self.shape {
            Shape::Ring => ring::build(ring::Config::default()).unwrap(),
            Shape::RedundantRing => ring::build(ring::RedundantConfig::default()).unwrap(),
            Shape::Mesh(degree, view) => {
                mesh::build(mesh::Config { degree, view, ..mesh::Config::default() }).unwrap()
            }
            Shape::LeaderStar(routing) => {
                leader_star::build(leader_star::Config { routing, ..leader_star::Config::default() }).unwrap()
            }
        }
    }

    pub(crate) fn transport(&self) -> Arc<dyn Transport> {
        match &self.wire {
            Wire::Memory(hub) => memory::build(&memory::Config::default(), hub),
            Wire::Tcp => tcp::build(&tcp::Config::default()).unwrap(),
            Wire::Udp(config) => udp::build(config).unwrap(),
        }
    }

    /// A member that others reach over a lossy way only.
    #[must_use]
    pub fn member_over(&self, nick: &str, faults: Faults, seed: u64) -> (Builder, Arc<Lossy>) {
        let lossy = Arc::new(Lossy::new(self.transport(), faults, seed));
        (self.over(nick, lossy.clone()), lossy)
    }

    /// A member that is not started yet.
    #[must_use]
    pub fn member(&self, nick: &str) -> Builder {
        self.over(nick, self.transport())
    }

    /// The same, whose links all pass a proxy.
    #[must_use]
    pub fn member_behind(&self, nick: &str, proxy: &Arc<Proxy>) -> Builder {
        self.over(nick, Arc::new(Behind::new(self.transport(), proxy.clone())))
    }

    fn over(&self, nick: &str, transport: Arc<dyn Transport>) -> Builder {
        Node::builder()
            .config(self.config.clone())
            .group(self.key.clone())
            .epoch(self.epoch)
            .topology(self.topology())
            .transport(transport)
            .crypto(self.crypto())
            .nick(nick)
            .listen(match self.wire {
                Wire::Memory(_) => "memory://",
                Wire::Tcp | Wire::Udp(_) => "127.0.0.1:0",
            })
    }

    /// `n` members that all know each other.
    pub async fn members(&self, n: usize) -> Vec<Member> {
        gather((0..n).map(|i| self.member(NICKS[i])).collect()).await
    }

    /// Members that all know each other, all links of each through a proxy of its own.
    pub async fn members_behind(&self, proxies: &[Arc<Proxy>]) -> Vec<Member> {
        gather(proxies.iter().zip(NICKS).map(|(proxy, nick)| self.member_behind(nick, proxy)).collect()).await
    }
}

/// Nicks of members, in the order in which they join.
pub const NICKS: [&str; 8] = ["ana", "eva", "leo", "max", "ida", "ugo", "zoe", "tim"];

/// Starts a member and waits until it is one.
pub async fn start(builder: Builder) -> Member {
    let mut events = builder.events(1 << 16);
    let node = builder.start().await.unwrap();
    event(&mut events, "ready", |e| matches!(e, Event::Ready { .. }).then_some(())).await;
    Member { node, events }
}

/// The first member founds the group, the others join through it; all know each other in the end.
pub async fn gather(builders: Vec<Builder>) -> Vec<Member> {
    let all = builders.len();
    let mut members: Vec<Member> = Vec::new();
    for builder in builders {
        let entry = match members.first() {
            None => builder.found(),
            Some(first) => builder.join([first.node.addr().to_string()]),
        };
        members.push(start(entry).await);
    }
    for member in &members {
        acquainted(&member.node, all).await;
    }
    members
}

/// Waits until a node knows `all` members, itself included.
pub async fn acquainted(node: &Node, all: usize) {
    let mut events = node.events();
    soon("acquaintance with everybody", async {
        while node.members().await.iter().filter(|m| m.state.is_live()).count() < all {
            // Whoever comes is an event.
            events.next().await;
        }
    })
    .await;
}
