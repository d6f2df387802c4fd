//! A Tertulia group as a system under load: all nodes in this process, a task per node that reads what arrives.

use std::sync::Arc;
use std::time::Duration;

use tertulia::bus::{Filter, Node, Notice};
use tertulia::crypto::{GroupKey, GroupSecret, noise, plain};
use tertulia::link::{Crypto, Transport};
use tertulia_core::config::EngineConfig;
use tertulia_core::engine::api::Event;
use tertulia_core::message::Room;
use tertulia_core::topology::Topology;
use tertulia_topologies::{leader_star, ring};
use tertulia_transports::{memory, tcp, udp};

use crate::board::Board;
use crate::workload::{Failure, System};

/// How a group is put together.
#[derive(Clone, Debug)]
pub struct Shape {
    /// `ring`, `redundant-ring` or `leader-star`.
    pub topology: String,
    /// `tcp`, `udp` or `memory`.
    pub transport: String,
    /// `noise` or `plain`.
    pub crypto: String,
    /// The engine's settings.
    pub config: EngineConfig,
}

impl Shape {
    fn topology(&self) -> Result<Box<dyn Topology>, Failure> {
        match self.topology.as_str() {
            ring::KIND => Ok(ring::build(ring::Config::default())?),
            ring::KIND_REDUNDANT => Ok(ring::build(ring::RedundantConfig::default())?),
            leader_star::KIND => Ok(leader_star::build(leader_star::Config::default())?),
            other => Err(format!("no topology `{other}`: ring, redundant-ring or leader-star").into()),
        }
    }

    fn transport(&self, hub: &memory::Hub) -> Result<(Arc<dyn Transport>, &'static str), Failure> {
        match self.transport.as_str() {
            tcp::KIND => Ok((tcp::build(&tcp::Config::default())?, "tcp://127.0.0.1:0")),
            memory::KIND => Ok((memory::build(&memory::Config::default(), hub), "memory://")),
            udp::KIND => Ok((udp::build(&udp::Config::default())?, "udp://127.0.0.1:0")),
            other => Err(format!("no transport `{other}`: tcp, udp or memory").into()),
        }
    }

    fn crypto(&self) -> Result<Arc<dyn Crypto>, Failure> {
        match self.crypto.as_str() {
            noise::KIND => Ok(noise::build(&noise::Config::default())),
            plain::KIND => Ok(plain::build(&plain::Config::default())),
            other => Err(format!("no crypto `{other}`: noise or plain").into()),
        }
    }
}

/// A group of nodes of this process.
pub struct Group {
    nodes: Vec<Node>,
    room: Room,
}

impl Group {
    /// Founds a group of `n` nodes that all see each other.
    ///
    /// # Errors
    /// When a node cannot be started, or the group is not complete within half a minute.
    pub async fn start(n: usize, shape: &Shape, board: &Arc<Board>) -> Result<Group, Failure> {
        let key = Arc::new(GroupKey::new("bench", &GroupSecret::generate()?)?);
        let hub = memory::Hub::new();
        let mut nodes: Vec<Node> = Vec::new();
        for index in 0..n {
            let (transport, listen) = shape.transport(&hub)?;
            let listen =
                if shape.transport == memory::KIND { format!("{listen}n{index}") } else { listen.into() };
            let builder = Node::builder()
                .config(shape.config.clone())
                .group(key.clone())
                .topology(shape.topology()?)
                .transport(transport)
                .crypto(shape.crypto()?)
                .nick(format!("n{index}"))
                .listen(listen);
            let builder = match nodes.first() {
                None => builder.found(),
                Some(first) => builder.join([first.addr().to_string()]),
            };
            let mut events = builder.events(4096);
            let mut inbox = builder.subscribe(Filter::all());
            let node = builder.start().await?;
            let board = board.clone();
            tokio::spawn(async move {
                while let Some(batch) = inbox.next().await {
                    for message in batch.messages() {
                        board.deliver(index, &message.payload);
                    }
                }
            });
            let ready = async {
                while let Some(notice) = events.next().await {
                    match notice {
                        Notice::Event(Event::Ready { .. }) => return Ok(()),
                        Notice::Event(Event::Refused { reason, .. }) => return Err(reason),
                        _ => {}
                    }
                }
                Err("the node ended".into())
            };
            tokio::time::timeout(Duration::from_secs(30), ready).await??;
            nodes.push(node);
        }
        let group = Group { nodes, room: Room::default() };
        tokio::time::timeout(Duration::from_secs(30), group.complete()).await?;
        Ok(group)
    }

    /// Waits until every node knows every other as a live member.
    async fn complete(&self) {
        for node in &self.nodes {
            while node.members().await.iter().filter(|m| m.state.is_live()).count() < self.nodes.len() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Leaves with every node.
    pub async fn end(&self) {
        for node in &self.nodes {
            node.leave().await;
        }
    }
}

impl System for Group {
    const NAME: &'static str = "tertulia";
    const ABOUT: &'static str = "signed parcels, end-to-end window, progress told by every member";

    async fn publish(&self, node: usize, payload: &[u8]) -> Result<(), Failure> {
        self.nodes[node].publish(&self.room, 0, payload).await?;
        Ok(())
    }

    async fn flush(&self, _node: usize) -> Result<(), Failure> {
        Ok(())
    }
}
