//! Putting a node together.

use std::sync::Arc;

use tertulia_core::config::EngineConfig;
use tertulia_core::engine::{Engine, Setup};
use tertulia_core::id::{Incarnation, PeerId};
use tertulia_core::message::PAYLOAD_MAX;
use tertulia_core::peers::{Addr, NICK_MAX};
use tertulia_core::topology::Topology;
use tokio::sync::{Notify, mpsc, watch};

use super::book::{self, Book};
use super::driver::{self, Entry, Parts};
use super::error::StartError;
use super::filter::Filter;
use super::fits;
use super::hub::Hub;
use super::node::Node;
use super::outgoing::{Limits, Outgoing};
use super::request::{Pending, Requests};
use super::shared::Shared;
use super::subscription::{Events, Feed, Subscription};
use crate::codec::{Codec, Postcard};
use crate::crypto::{GroupKey, Identity, LiveAuth, Vouched};
use crate::discovery::Discovery;
use crate::discovery::keys::{Keys, Vouching};
use crate::discovery::service::Access;
use crate::link::{Crypto, HandshakeParams, Locator, Transport, VOUCHED};
use crate::policy::{self, Policy};
use crate::store::{MemoryStore, Store, StoreError, identity as stored_identity, next_incarnation};

/// Questions to a driver that wait at most; who asks more waits.
const QUESTIONS: usize = 64;

/// Puts a node together, part by part.
///
/// A group, a topology, a transport and a crypto suite are needed; everything else has a default. Subscriptions made here
/// miss nothing.
pub struct Builder {
    config: EngineConfig,
    group: Option<Arc<GroupKey>>,
    epoch: u32,
    identity: Option<Arc<Identity>>,
    topology: Option<Box<dyn Topology>>,
    transport: Option<Arc<dyn Transport>>,
    crypto: Option<Arc<dyn Crypto>>,
    store: Arc<dyn Store>,
    codec: Option<Arc<dyn Codec>>,
    nick: Option<(String, bool)>,
    listen: Option<String>,
    entry: Entry,
    discovery: Option<Arc<dyn Discovery>>,
    policy: Arc<dyn Policy>,
    keys: Option<Keys>,
    hub: Arc<Hub>,
    pending: Arc<Pending>,
    wake: Arc<Notify>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new()
    }
}

/// What the store holds for this run.
struct Remembered {
    identity: Arc<Identity>,
    incarnation: Incarnation,
    nick: String,
    claimed_at: u64,
    /// The run before this one and the parcels that it published.
    before: (Incarnation, u64),
    book: Book,
    slot: Option<bytes::Bytes>,
}

impl Builder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let wake = Arc::new(Notify::new());
        let config = EngineConfig::default();
        let hub = Hub::new(wake.clone(), config.limits.inbox.bytes());
        Builder {
            config,
            group: None,
            epoch: 0,
            identity: None,
            topology: None,
            transport: None,
            crypto: None,
            store: Arc::new(MemoryStore::default()),
            codec: None,
            nick: None,
            listen: None,
            entry: Entry::Seek,
            discovery: None,
            policy: Arc::new(policy::Open),
            keys: None,
            hub: Arc::new(hub),
            pending: Arc::default(),
            wake,
        }
    }

    /// The engine's settings.
    #[must_use]
    pub fn config(mut self, config: EngineConfig) -> Self {
        self.hub.set_limit(config.limits.inbox.bytes());
        self.config = config;
        self
    }

    /// The group, by its key.
    #[must_use]
    pub fn group(mut self, group: Arc<GroupKey>) -> Self {
        self.group = Some(group);
        self
    }

    /// The group's present epoch; 0 unless said.
    #[must_use]
    pub fn epoch(mut self, epoch: u32) -> Self {
        self.epoch = epoch;
        self
    }

    /// Who this node is; without this, the store says or a fresh identity is made.
    #[must_use]
    pub fn identity(mut self, identity: Arc<Identity>) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Who is whose neighbour.
    #[must_use]
    pub fn topology(mut self, topology: Box<dyn Topology>) -> Self {
        self.topology = Some(topology);
        self
    }

    /// What links run over.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// What protects links.
    #[must_use]
    pub fn crypto(mut self, crypto: Arc<dyn Crypto>) -> Self {
        self.crypto = Some(crypto);
        self
    }

    /// What is kept between runs; nothing unless said.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = store;
        self
    }

    /// How typed payloads are written; compact binary unless said.
    #[must_use]
    pub fn codec(mut self, codec: Arc<dyn Codec>) -> Self {
        self.codec = Some(codec);
        self
    }

    /// The nick to ask for; a taken one is suffixed.
    #[must_use]
    pub fn nick(mut self, nick: impl Into<String>) -> Self {
        self.nick = Some((nick.into(), false));
        self
    }

    /// The nick to ask for; when it is taken, this node is refused.
    #[must_use]
    pub fn explicit_nick(mut self, nick: impl Into<String>) -> Self {
        self.nick = Some((nick.into(), true));
        self
    }

    /// Where to listen, as a locator or an address of the transport.
    #[must_use]
    pub fn listen(mut self, at: impl Into<String>) -> Self {
        self.listen = Some(at.into());
        self
    }

    /// How members are found when no address is given, and how this node is found by others.
    #[must_use]
    pub fn discovery(mut self, discovery: Arc<dyn Discovery>) -> Self {
        self.discovery = Some(discovery);
        self
    }

    /// Who is let in, and what is delivered; everybody and everything unless said.
    #[must_use]
    pub fn policy(mut self, policy: Arc<dyn Policy>) -> Self {
        self.policy = policy;
        self
    }

    /// The key manager that vouches for members: nobody links with one that it does not vouch for.
    #[must_use]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Joins through any of these addresses.
    #[must_use]
    pub fn join<A: Into<Addr>>(mut self, addrs: impl IntoIterator<Item = A>) -> Self {
        self.entry = Entry::Join(addrs.into_iter().map(Into::into).collect());
        self
    }

    /// Founds the group here and now, asking nobody.
    #[must_use]
    pub fn found(mut self) -> Self {
        self.entry = Entry::Found;
        self
    }

    /// Messages from the very first.
    #[must_use]
    pub fn subscribe(&self, filter: Filter) -> Subscription {
        Subscription::new(&self.hub, filter)
    }

    /// Events from the very first; at most `most` wait to be read.
    #[must_use]
    pub fn events(&self, most: usize) -> Events {
        Events::new(&self.hub, most)
    }

    /// Messages and events from the very first, in one order; at most `events` events wait to be read.
    #[must_use]
    pub fn feed(&self, filter: Filter, events: usize) -> Feed {
        Feed::new(&self.hub, filter, events)
    }

    /// Requests from the very first.
    #[must_use]
    pub fn requests(&self) -> Requests {
        Requests::new(self.subscribe(Filter::requests()), self.pending.clone())
    }

    /// Starts the node: reads what is kept, listens, and sets out to join or found. A member it is once the `Ready`
    /// event says so.
    ///
    /// # Errors
    /// When a part is missing or does not fit, the store cannot be used, or the address cannot be listened at.
    pub async fn start(self) -> Result<Node, StartError> {
        super::memory::keep_freed();
        let group = self.group.ok_or_else(|| missing("group"))?;
        let topology = self.topology.ok_or_else(|| missing("topology"))?;
        let transport = self.transport.ok_or_else(|| missing("transport"))?;
        let crypto = self.crypto.ok_or_else(|| missing("crypto suite"))?;
        if self.config.limits.message.bytes() > PAYLOAD_MAX {
            let reason = format!("limits.message is more than the {PAYLOAD_MAX} bytes that a link carries");
            return Err(StartError::new("unfit", reason, "lower limits.message"));
        }
        fits(&*topology, &*transport, self.discovery.as_deref(), self.config.roster.scope)
            .map_err(|misfit| StartError::new("unfit", misfit.reason, misfit.remedy))?;
        if self.keys.is_some() && transport.caps().max_record < Vouched::MESSAGE {
            let reason = format!("vouchers of the key manager take {} bytes of a datagram", Vouched::MESSAGE);
            return Err(StartError::new("unfit", reason, "raise transport.datagram, best to its default"));
        }
        let (asked, nick_explicit) =
            self.nick.map_or((None, false), |(nick, explicit)| (Some(nick), explicit));
        let kept = remember(self.store.clone(), self.identity, asked).await?;
        let text = self.listen.as_deref().unwrap_or("127.0.0.1:0");
        let at = Locator::parse_or(transport.scheme(), text)
            .map_err(|error| StartError::new("bad-address", error.to_string(), "change node.listen"))?;
        let listener = transport
            .listen(&at)
            .await
            .map_err(|error| StartError::new(error.code(), error.reason().to_string(), error.hint()))?;
        let addr = listener.local();
        let (me, incarnation, limits) = (kept.identity.id(), kept.incarnation, self.config.limits.clone());
        let remembered = kept.book.iter().any(|(peer, addrs)| *peer != me && !addrs.is_empty());
        let nick: Arc<str> = kept.nick.into();
        let engine = Engine::new(Setup {
            config: self.config,
            auth: Box::new(LiveAuth::new(kept.identity.clone(), group.clone())),
            topology,
            seed: seed()?,
            incarnation,
            epoch: self.epoch,
            nick: nick.clone(),
            nick_explicit,
            claimed_at: kept.claimed_at,
            addrs: vec![addr.as_str().into()],
            book: kept.book,
            slot: kept.slot,
            before: kept.before,
            planted: None,
        });
        self.hub.start(me);
        let bounds =
            Limits { me, incarnation, message: limits.message.bytes(), pending: limits.pending.bytes() };
        let outgoing = Outgoing::new(bounds, self.wake.clone());
        let shared = Shared::new(addr, nick, (me, incarnation), outgoing, self.hub, self.pending, self.wake);
        let shared = Arc::new(shared);
        let (ask, commands) = mpsc::channel(QUESTIONS);
        let (ended, outcome) = watch::channel(None);
        let (book, changes) = watch::channel(Book::new());
        let keeper = tokio::spawn(book::keep(self.store.clone(), changes));
        let store = self.store;
        let epoch = u64::from(self.epoch) | if self.keys.is_some() { VOUCHED } else { 0 };
        let admit = policy::admission(self.policy.clone(), epoch);
        let params = HandshakeParams { identity: kept.identity, group, incarnation, epoch, admit };
        let access = Access::new(transport.clone(), crypto.clone(), params.clone());
        let (mut crypto, mut vouching) = (crypto, None);
        if let Some(keys) = self.keys {
            let kept = vouched(keys, access.clone(), store.clone()).await?;
            crypto = Arc::new(Vouched::new(crypto, kept.keyring()));
            let hub = shared.hub.clone();
            vouching = Some(tokio::spawn(kept.keep(move |event| hub.event(&event))));
        }
        if let Some(discovery) = &self.discovery {
            discovery.attach(access);
        }
        let parts = Parts {
            engine,
            limits: limits.clone(),
            shared: shared.clone(),
            commands,
            transport,
            crypto,
            params,
            listener,
            entry: self.entry,
            discovery: self.discovery,
            policy: self.policy,
            remembered,
            store: store.clone(),
            book,
        };
        tokio::spawn(async move {
            // When the driver panics, handles see the end without an outcome.
            let (outcome, parcels) = driver::run(parts).await;
            vouching.inspect(tokio::task::JoinHandle::abort);
            let saved =
                tokio::task::spawn_blocking(move || book::save_run(&*store, incarnation, parcels)).await;
            match saved {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "how far this run came is not saved"),
                Err(error) => tracing::error!(%error, "how far this run came is not saved"),
            }
            if let Err(error) = keeper.await {
                tracing::error!(%error, "the address book is not saved");
            }
            ended.send_replace(Some(outcome));
        });
        let codec = self.codec.unwrap_or_else(|| Arc::new(Postcard::new(limits.message.bytes())));
        Ok(Node::new(shared, ask, outcome, codec))
    }
}

/// Has this node's key vouched for.
async fn vouched(keys: Keys, access: Access, store: Arc<dyn Store>) -> Result<Vouching, StartError> {
    let vouching = Vouching::start(keys, access, store).await;
    let vouching = vouching.map_err(|error| {
        StartError::new("store", error.to_string(), "restore the key, or remove it for a new one")
    })?;
    let hint = "give this member the public key of the group's key manager, and a key of its own";
    vouching.first().await.map_err(|error| StartError::new(error.code(), error.to_string(), hint))?;
    Ok(vouching)
}

/// Reads what the store holds, off the event loop.
async fn remember(
    store: Arc<dyn Store>,
    identity: Option<Arc<Identity>>,
    nick: Option<String>,
) -> Result<Remembered, StartError> {
    let read = move || {
        let broken = |error: StoreError| {
            StartError::new("store", error.to_string(), "choose another data directory with --data-dir")
        };
        let note = |notice: Option<String>| notice.inspect(|notice| tracing::warn!("{notice}"));
        let identity = if let Some(identity) = identity {
            identity
        } else {
            let (identity, notice) = stored_identity(&*store).map_err(broken)?;
            note(notice);
            Arc::new(identity)
        };
        let before = book::last_run(&*store).map_err(broken)?;
        let (incarnation, notice) = next_incarnation(&*store, book::now_ms()).map_err(broken)?;
        note(notice);
        book::save_run(&*store, incarnation, 0).map_err(broken)?;
        let (book, notice) = book::load(&*store).map_err(broken)?;
        note(notice);
        let slot = book::slot(&*store).map_err(broken)?;
        let nick = nick.unwrap_or_else(|| plain_nick(&identity.id()));
        if nick.is_empty() || nick.len() > NICK_MAX {
            let reason = format!("a nick has 1 to {NICK_MAX} bytes, `{nick}` has {}", nick.len());
            return Err(StartError::new("bad-nick", reason, "choose another with --nick"));
        }
        let claimed_at = book::claimed_at(&*store, &nick).map_err(broken)?;
        Ok(Remembered { identity, incarnation, nick, claimed_at, before, book, slot })
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| StartError::new("store", error.to_string(), "see the log"))?
}

/// The nick of a node that asked for none.
fn plain_nick(id: &PeerId) -> String {
    format!("peer-{id:?}")
}

fn missing(what: &str) -> StartError {
    StartError::new("incomplete", format!("the node has no {what}"), "give the builder one")
}

/// The seed of the engine's randomness; keys do not come from it.
fn seed() -> Result<u64, StartError> {
    let mut bytes = [0; 8];
    let random = ring::rand::SystemRandom::new();
    ring::rand::SecureRandom::fill(&random, &mut bytes)
        .map_err(|_| StartError::new("random", "the system gives no random bytes", "see the system's log"))?;
    Ok(u64::from_le_bytes(bytes))
}
