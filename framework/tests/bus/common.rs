//! What these tests share.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tertulia::bus::{Builder, Events, Node, Notice};
use tertulia::crypto::{GroupKey, GroupSecret, noise, plain};
use tertulia::link::Transport;
use tertulia_core::config::EngineConfig;
use tertulia_core::config::Scope;
use tertulia_core::engine::api::Event;
use tertulia_core::peers::PeerTable;
use tertulia_core::time::Instant;
use tertulia_core::topology::{Ctx, Input, Needs, Topology, View};
use tertulia_topologies::ring;
use tertulia_transports::{memory, tcp};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what must happen.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Waits for an event.
pub(crate) async fn event<T>(events: &mut Events, what: &str, wanted: impl Fn(Event) -> Option<T>) -> T {
    soon(what, async {
        loop {
            match events.next().await {
                Some(Notice::Event(event)) => {
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                Some(Notice::Lagged(n)) => panic!("{n} events are missing before {what}"),
                None => panic!("the node ended before {what}"),
            }
        }
    })
    .await
}

/// A group's members to be.
pub(crate) struct Group {
    pub(crate) key: Arc<GroupKey>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) config: EngineConfig,
    listen: &'static str,
    encrypted: bool,
}

impl Group {
    /// Over memory, unencrypted.
    pub(crate) fn memory() -> Self {
        let transport = memory::build(&memory::Config::default(), &memory::Hub::default());
        Group { transport, key: key(1), config: EngineConfig::default(), listen: "", encrypted: false }
    }

    /// Over TCP on loopback, encrypted.
    pub(crate) fn tcp() -> Self {
        let transport = tcp::build(&tcp::Config::default()).unwrap();
        Group { transport, listen: "127.0.0.1:0", encrypted: true, ..Group::memory() }
    }

    /// A member that is not started yet.
    pub(crate) fn member(&self, nick: &str) -> Builder {
        let crypto = if self.encrypted {
            noise::build(&noise::Config::default())
        } else {
            plain::build(&plain::Config::default())
        };
        Node::builder()
            .config(self.config.clone())
            .group(self.key.clone())
            .topology(ring::build(ring::Config::default()).unwrap())
            .transport(self.transport.clone())
            .crypto(crypto)
            .nick(nick)
            .listen(self.listen)
    }

    /// The first member, ready.
    pub(crate) async fn founder(&self) -> Node {
        start(self.member("ana").found()).await.0
    }

    /// One more member, ready.
    pub(crate) async fn joiner(&self, nick: &str, contact: &Node) -> Node {
        start(self.member(nick).join([contact.addr().to_string()])).await.0
    }
}

/// The group key of a secret.
pub(crate) fn key(secret: u8) -> Arc<GroupKey> {
    Arc::new(GroupKey::new("test", &GroupSecret::from_bytes([secret; 32])).unwrap())
}

/// Starts a member and waits until it is one.
pub(crate) async fn start(builder: Builder) -> (Node, Events) {
    let mut events = builder.events(Events::USUAL);
    let node = builder.start().await.unwrap();
    event(&mut events, "ready", |e| matches!(e, Event::Ready { .. }).then_some(())).await;
    (node, events)
}

/// A topology through which nothing ever goes.
#[derive(Clone)]
pub(crate) struct Closed;

impl Topology for Closed {
    fn kind(&self) -> &'static str {
        "closed"
    }
    fn needs(&self) -> Needs {
        Needs { roster: Scope::Group, reliable: false }
    }
    fn on_input(&mut self, cx: &mut Ctx<'_>, input: Input<'_>) {
        if matches!(input, Input::Leave) {
            cx.out.left();
        }
    }
    fn next_deadline(&self) -> Option<Instant> {
        None
    }
    fn on_deadline(&mut self, _: &mut Ctx<'_>) {}
    fn view(&self, _: &PeerTable) -> View {
        View { kind: "closed", ..View::default() }
    }
    fn accepts(&self) -> bool {
        false
    }
}
