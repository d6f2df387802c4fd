//! What runs a service: connections, the clock and the file that its state is kept in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::channel::Channel;
use super::{Access, News, ServiceError, ServiceEvent};
use crate::crypto::unix_ms;
use crate::link::{Listener, Locator, RawLink, Refusal, Role, establish, refuse};
use crate::store::{Store, StoreError};

/// Connections at once, and of one source; one more is told that the service is busy.
const CONNECTIONS: usize = 128;
const CONNECTIONS_PER_SOURCE: usize = 64;
/// Requests on one connection.
const REQUESTS: usize = 64;
/// How long a connection may be silent, and an answer take to leave.
const IDLE: Duration = Duration::from_secs(5);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long telling somebody that the service is busy may take.
const TELL: Duration = Duration::from_secs(1);
/// The pause after a failed accept: the system is short of something.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a service looks at the clock, and saves what has changed.
const TICK: Duration = Duration::from_millis(500);

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::discovery) struct Caller {
    /// By its key, which it has proven.
    pub(in crate::discovery) peer: PeerId,
    /// The machine that it asks from, as the transport sees it.
    pub(in crate::discovery) source: String,
}

/// A kind of service: what it answers, and what it keeps.
pub(in crate::discovery) trait Answers: Send + Sync + 'static {
    /// Answers a request; `None` for one that no honest peer sends.
    fn answer(self: &Arc<Self>, now: Instant, from: &Caller, request: &[u8]) -> Option<Vec<u8>>;

    /// Looks at the clock.
    fn tick(self: &Arc<Self>, now: Instant);

    /// The state to be kept, when it has changed since it was last asked for.
    fn changed(&self) -> Option<Vec<u8>>;
}

/// A service that runs. Dropping it ends it as a crash would; [`stop`](Running::stop) saves first.
#[derive(Debug)]
pub struct Running {
    addr: Locator,
    stop: Option<oneshot::Sender<()>>,
    accepts: JoinHandle<()>,
    keeps: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> &Locator {
        &self.addr
    }

    /// Ends it, its state saved.
    pub async fn stop(mut self) {
        self.accepts.abort();
        if let Some(stop) = self.stop.take() {
            // It may have ended already.
            let _ended = stop.send(());
        }
        let _over = (&mut self.keeps).await;
        let _closed = (&mut self.accepts).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.accepts.abort();
        self.keeps.abort();
    }
}

/// The clock of a service.
#[derive(Clone, Copy, Debug)]
pub(in crate::discovery) enum Clock {
    /// It begins when the service does.
    Run(tokio::time::Instant),
    /// It began in 1970, for what others judge by their own clocks; it may be set.
    Wall,
}

impl Clock {
    /// A clock that begins now.
    pub(in crate::discovery) fn start() -> Self {
        Clock::Run(tokio::time::Instant::now())
    }

    /// The time since it began.
    pub(in crate::discovery) fn now(self) -> Instant {
        match self {
            Clock::Run(start) => Instant::ZERO + start.elapsed(),
            Clock::Wall => Instant::from_millis(unix_ms()),
        }
    }
}

/// Where a service tells its news.
#[derive(Clone, Debug)]
pub(in crate::discovery) struct Teller {
    /// The kind of service.
    pub(in crate::discovery) service: &'static str,
    /// Where it listens.
    pub(in crate::discovery) addr: Locator,
    /// Who listens to it.
    pub(in crate::discovery) told: mpsc::Sender<ServiceEvent>,
}

impl Teller {
    /// Tells, unless nobody takes it in time.
    pub(in crate::discovery) fn tell(&self, news: News) {
        let event = ServiceEvent { service: self.service, addr: self.addr.clone(), news };
        if self.told.try_send(event).is_err() {
            tracing::debug!(service = self.service, "news of a service is not told: nobody takes it");
        }
    }
}

/// Listens for a service.
pub(in crate::discovery) async fn listen(
    access: &Access,
    at: &Locator,
) -> Result<Box<dyn Listener>, ServiceError> {
    let listener = access.transport.listen(at).await;
    listener.map_err(|e| ServiceError::new(at, e.code(), format!("{}; {}", e.reason(), e.hint())))
}

/// The state that a service kept as `item`; one that is damaged is warned of, and begun anew: members tell it again.
pub(in crate::discovery) async fn kept(
    at: &Locator,
    store: &Arc<dyn Store>,
    item: &'static str,
) -> Result<Option<Vec<u8>>, ServiceError> {
    let store = store.clone();
    let loaded = tokio::task::spawn_blocking(move || store.load(item)).await;
    match loaded.map_err(|e| ServiceError::new(at, "store", e.to_string()))? {
        Ok(loaded) => {
            loaded.notice.inspect(|notice| tracing::warn!("{notice}"));
            Ok(loaded.bytes)
        }
        Err(error @ StoreError::Damaged { .. }) => {
            tracing::warn!(%error, "a service begins anew");
            Ok(None)
        }
        Err(error) => Err(ServiceError::new(at, "store", error.to_string())),
    }
}

/// Runs a service behind `listener`; its state is kept as `item`.
pub(in crate::discovery) fn run<A: Answers>(
    answers: &Arc<A>,
    clock: Clock,
    listener: Box<dyn Listener>,
    access: Access,
    (store, item): (Arc<dyn Store>, &'static str),
) -> Running {
    let addr = listener.local();
    let (stop, stopped) = oneshot::channel();
    let unsaved = tokio::sync::Mutex::new(None);
    let keeper = Arc::new(Keeper { answers: answers.clone(), store, item, unsaved });
    let accepts = tokio::spawn(accept(keeper.clone(), clock, listener, Arc::new(access)));
    let keeps = tokio::spawn(keep(keeper, clock, stopped));
    Running { addr, stop: Some(stop), accepts, keeps }
}

/// A service and the file that its state is kept in.
struct Keeper<A> {
    answers: Arc<A>,
    store: Arc<dyn Store>,
    item: &'static str,
    /// What could not be saved. One saves at a time, so that the latest stays.
    unsaved: tokio::sync::Mutex<Option<Bytes>>,
}

impl<A: Answers> Keeper<A> {
    /// Saves what has changed, and what could not be saved before. What others changed meanwhile is saved with it. True
    /// when all is safe.
    async fn save(&self) -> bool {
        let mut unsaved = self.unsaved.lock().await;
        let Some(bytes) = self.answers.changed().map(Bytes::from).or_else(|| unsaved.take()) else {
            return true;
        };
        *unsaved = Some(bytes.clone());
        let (store, item) = (self.store.clone(), self.item);
        match tokio::task::spawn_blocking(move || store.save(item, &bytes)).await {
            Ok(Ok(())) => {
                *unsaved = None;
                return true;
            }
            Ok(Err(error)) => tracing::warn!(%error, "the state of a service is not saved"),
            Err(error) => tracing::error!(%error, "the state of a service is not saved"),
        }
        false
    }
}

async fn keep<A: Answers>(keeper: Arc<Keeper<A>>, clock: Clock, mut stopped: oneshot::Receiver<()>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let ends = tokio::select! {
            _ = ticks.tick() => false,
            _ = &mut stopped => true,
        };
        keeper.answers.tick(clock.now());
        keeper.save().await;
        if ends {
            return;
        }
    }
}

/// Connections now, by source.
#[derive(Clone, Debug, Default)]
struct Open(Arc<Mutex<BTreeMap<String, usize>>>);

/// One connection of a source, for as long as this lives.
struct Place {
    open: Open,
    source: String,
}

impl Open {
    /// A place for one more, unless the source has enough.
    fn take(&self, source: &str) -> Option<Place> {
        let mut open = self.0.lock();
        let mine = open.entry(source.to_owned()).or_default();
        if *mine >= CONNECTIONS_PER_SOURCE {
            return None;
        }
        *mine += 1;
        Some(Place { open: self.clone(), source: source.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.0.lock();
        if let Some(mine) = open.get_mut(&self.source) {
            *mine -= 1;
            if *mine == 0 {
                open.remove(&self.source);
            }
        }
    }
}

async fn accept<A: Answers>(
    keeper: Arc<Keeper<A>>,
    clock: Clock,
    mut listener: Box<dyn Listener>,
    access: Arc<Access>,
) {
    // The connections end with this task.
    let mut connections = JoinSet::new();
    let open = Open::default();
    loop {
        let raw = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(raw) => raw,
                Err(error) => {
                    tracing::warn!(code = error.code(), %error, "a connection was not accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        let source = source_of(&raw.remote);
        match open.take(&source).filter(|_| connections.len() < CONNECTIONS) {
            Some(place) => {
                let (keeper, access) = (keeper.clone(), access.clone());
                connections.spawn(async move { serve(&keeper, clock, raw, &access, place).await });
            }
            None if connections.len() < 2 * CONNECTIONS => {
                connections.spawn(refuse(raw, Refusal::Busy, TELL));
            }
            // Beyond that, connections are dropped without a word.
            None => {}
        }
    }
}

/// One connection: requests and answers, until it has had enough.
async fn serve<A: Answers>(keeper: &Keeper<A>, clock: Clock, raw: RawLink, access: &Access, place: Place) {
    let link = establish(raw, Role::Responder, &*access.crypto, &access.service_params(), HANDSHAKE).await;
    let link = match link {
        Ok(link) => link,
        Err(error) => {
            tracing::info!(code = error.code(), %error, "a handshake with a service failed");
            return;
        }
    };
    let from = Caller { peer: link.session.peer, source: place.source.clone() };
    let Ok(mut channel) = Channel::new(link, &access.transport.caps()) else { return };
    for _ in 0..REQUESTS {
        let Ok(Ok(request)) = timeout(IDLE, channel.receive()).await else { return };
        let Some(answer) = keeper.answers.answer(clock.now(), &from, &request) else {
            tracing::info!(peer = %from.peer, "a request cannot be read");
            return;
        };
        // Whoever is told that it is done may rely on it, whatever becomes of this program.
        if !keeper.save().await {
            return;
        }
        if !matches!(timeout(IDLE, channel.send(answer)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// The machine behind an address: what stands before the port.
fn source_of(remote: &Locator) -> String {
    let rest = remote.rest();
    rest.rsplit_once(':').map_or(rest, |(host, _)| host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Loaded, MemoryStore};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A disk that is full at first.
    #[derive(Default)]
    struct Full(MemoryStore, AtomicBool);

    impl Store for Full {
        fn kind(&self) -> &'static str {
            "full"
        }
        fn load(&self, item: &'static str) -> Result<Loaded, StoreError> {
            self.0.load(item)
        }
        fn save(&self, item: &'static str, bytes: &[u8]) -> Result<(), StoreError> {
            match self.1.swap(true, Ordering::SeqCst) {
                true => self.0.save(item, bytes),
                false => Err(StoreError::TooLong(item.into())),
            }
        }
    }

    /// Something that changes once.
    struct Once(Mutex<Option<Vec<u8>>>);

    impl Answers for Once {
        fn answer(self: &Arc<Self>, _: Instant, _: &Caller, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
        fn tick(self: &Arc<Self>, _: Instant) {}
        fn changed(&self) -> Option<Vec<u8>> {
            self.0.lock().take()
        }
    }

    #[tokio::test]
    async fn what_could_not_be_saved_is_saved_later() {
        let answers = Arc::new(Once(Mutex::new(Some(b"state".to_vec()))));
        let (store, unsaved) = (Arc::new(Full::default()), tokio::sync::Mutex::new(None));
        let keeper = Keeper { answers, store: store.clone(), item: "service", unsaved };
        assert!(!keeper.save().await, "nobody is told that it is done");
        assert!(keeper.save().await);
        assert_eq!(store.load("service").unwrap().bytes.as_deref(), Some(&b"state"[..]));
        assert!(keeper.save().await, "nothing is left to save");
    }
}
