//! A service of one kind: a state machine, what it answers, and what runs it.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tertulia_core::time::Instant;
use tertulia_core::wire::WireError;
use tokio::sync::mpsc;

use super::host::{Answers, Caller, Clock, Teller, kept, listen, run};
use super::{Access, News, Running, Service, ServiceError, ServiceEvent};
use crate::link::Locator;
use crate::store::Store;

/// What a service knows, as a pure state machine: the time is told.
pub(in crate::discovery) trait State: Send + 'static {
    /// What happens to it.
    type Change: Into<News>;

    /// Takes over what was kept.
    fn restore(&mut self, now: Instant, bytes: &[u8]) -> Result<(), WireError>;

    /// What happened since this was last asked.
    fn changes(&mut self) -> Vec<Self::Change>;

    /// What is to be kept, when it has changed since this was last asked.
    fn changed(&mut self) -> Option<Vec<u8>>;
}

/// A kind of service.
pub(in crate::discovery) trait Kind: Send + Sync + Sized + 'static {
    /// As in events.
    const KIND: &'static str;
    /// Begins the name of each such service, and is what its state is kept as.
    const NAME: &'static str;
    /// What it knows.
    type State: State;

    /// What it knows at first. May take a disk's time.
    fn begin(&self, access: &Access, store: &dyn Store) -> Result<Self::State, String>;

    /// What it measures time by.
    fn clock() -> Clock {
        Clock::start()
    }

    /// Answers a request; `None` for one that no honest peer sends.
    fn answer(server: &Arc<Server<Self>>, now: Instant, from: &Caller, request: &[u8]) -> Option<Vec<u8>>;

    /// Looks at the clock.
    fn tick(server: &Arc<Server<Self>>, now: Instant);
}

/// One of a profile's services.
pub(in crate::discovery) struct Post<K> {
    kind: Arc<K>,
    index: usize,
    at: Locator,
}

/// The services of a kind at these places.
pub(in crate::discovery) fn posts<K: Kind>(kind: K, places: &[Locator]) -> Vec<Box<dyn Service>> {
    let kind = Arc::new(kind);
    let post = |(index, at): (usize, &Locator)| Post { kind: kind.clone(), index, at: at.clone() };
    places.iter().enumerate().map(|place| Box::new(post(place)) as Box<dyn Service>).collect()
}

#[async_trait]
impl<K: Kind> Service for Post<K> {
    fn kind(&self) -> &'static str {
        K::KIND
    }

    fn name(&self) -> String {
        format!("{}-{}", K::NAME, self.index)
    }

    fn at(&self) -> &Locator {
        &self.at
    }

    async fn serve(
        &self,
        at: &Locator,
        access: Access,
        store: Arc<dyn Store>,
        told: mpsc::Sender<ServiceEvent>,
    ) -> Result<Running, ServiceError> {
        let listener = listen(&access, at).await?;
        let (kind, asks, from) = (self.kind.clone(), access.clone(), store.clone());
        let begun = tokio::task::spawn_blocking(move || kind.begin(&asks, &*from)).await;
        let begun = begun.map_err(|e| e.to_string()).and_then(|begun| begun);
        let mut state = begun.map_err(|why| ServiceError::new(at, "store", why))?;
        let clock = K::clock();
        if let Some(bytes) = kept(at, &store, K::NAME).await?
            && let Err(error) = state.restore(clock.now(), &bytes)
        {
            tracing::warn!(service = K::NAME, %error, "what was kept cannot be read: it begins anew");
        }
        let teller = Teller { service: K::KIND, addr: listener.local(), told };
        teller.tell(News::Ready);
        let server: Server<K> = Server { state: Mutex::new(state), access: access.clone(), clock, teller };
        Ok(run(&Arc::new(server), clock, listener, access, (store, K::NAME)))
    }
}

/// A service that runs.
pub(in crate::discovery) struct Server<K: Kind> {
    state: Mutex<K::State>,
    /// To ask members by.
    pub(in crate::discovery) access: Access,
    pub(in crate::discovery) clock: Clock,
    teller: Teller,
}

impl<K: Kind> Server<K> {
    /// Does something with the state, and tells what changed by it.
    pub(in crate::discovery) fn with<T>(&self, act: impl FnOnce(&mut K::State) -> T) -> T {
        let mut state = self.state.lock();
        let done = act(&mut state);
        state.changes().into_iter().for_each(|change| self.teller.tell(change.into()));
        done
    }
}

impl<K: Kind> Answers for Server<K> {
    fn answer(self: &Arc<Self>, now: Instant, from: &Caller, request: &[u8]) -> Option<Vec<u8>> {
        K::answer(self, now, from, request)
    }

    fn tick(self: &Arc<Self>, now: Instant) {
        K::tick(self, now);
    }

    fn changed(&self) -> Option<Vec<u8>> {
        self.state.lock().changed()
    }
}
