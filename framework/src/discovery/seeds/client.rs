//! The member's side of seeds.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tertulia_core::id::PeerId;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::SeedsConfig;
use super::messages::{Answer, Request};
use super::server::Seed;
use crate::discovery::service::circle::{Circle, places};
use crate::discovery::service::server::posts;
use crate::discovery::service::{Access, Service};
use crate::discovery::{Announcement, Discovery, DiscoveryError, Founding, kind};
use crate::link::Locator;

/// Addresses that a newcomer is given to try.
const TRIES: usize = 32;
/// How long leaving may wait for seeds.
const GOODBYE: Duration = Duration::from_secs(1);

/// Finds members through seeds. See the [module](super).
pub struct Seeds(Arc<Inner>);

struct Inner {
    config: SeedsConfig,
    circle: Arc<Circle>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is told to the seeds, from the first announcement to the end.
    me: Option<Announcement>,
    updates: Option<AbortHandle>,
    /// Peers that were found before this member was one.
    tried: Vec<PeerId>,
}

impl Seeds {
    /// The client of these seeds; addresses without a scheme are `transport`'s.
    ///
    /// # Errors
    /// The option to correct.
    pub fn build(config: SeedsConfig, transport: &str) -> Result<Arc<Self>, String> {
        config.check()?;
        let places = places("seeds", &config.seeds, transport)?;
        let circle = Circle::new("seeds", "start them (`tertulia serve`, `gossip-chat seed`)", places)?;
        let inner = Inner { config, circle: Arc::new(circle), state: Mutex::default() };
        Ok(Arc::new(Seeds(Arc::new(inner))))
    }
}

impl Drop for Seeds {
    fn drop(&mut self) {
        self.0.stop_updates();
    }
}

#[async_trait]
impl Discovery for Seeds {
    fn kind(&self) -> &'static str {
        kind::SEEDS
    }

    fn attach(&self, access: Access) {
        self.0.circle.attach(access);
    }

    fn services(&self) -> Vec<Box<dyn Service>> {
        posts(Seed { expire: self.0.config.expire.0 }, &self.0.circle.places)
    }

    async fn lookup(&self) -> Result<Vec<Locator>, DiscoveryError> {
        let found = self.0.lookup().await?;
        let mut addrs: Vec<Locator> = found.into_values().flatten().collect();
        self.0.circle.rng.lock().shuffle(&mut addrs);
        addrs.truncate(TRIES);
        Ok(addrs)
    }

    async fn announce(&self, me: &Announcement) -> Result<(), DiscoveryError> {
        self.0.state.lock().me = Some(me.clone());
        let registered = self.0.register().await;
        let mut state = self.0.state.lock();
        if state.updates.is_none() {
            state.updates = Some(tokio::spawn(update(Arc::downgrade(&self.0))).abort_handle());
        }
        registered
    }

    async fn report(&self, dead: &PeerId) {
        self.0.report(*dead).await;
    }

    async fn withdraw(&self) {
        self.0.stop_updates();
        if self.0.state.lock().me.take().is_some() {
            // All of them: one that was slow to answer may know this member as well.
            let all = self.0.circle.places.clone();
            let _slow = timeout(GOODBYE, self.0.circle.tell(all, &Request::Leave.encode())).await;
        }
    }

    async fn founding(&self) -> Result<Founding, DiscoveryError> {
        self.0.circle.founding().await
    }
}

/// Tells the seeds regularly that this member is still there.
async fn update(inner: Weak<Inner>) {
    loop {
        let Some(pause) = inner.upgrade().map(|inner| {
            let every = inner.config.update.0;
            inner.circle.rng.lock().jitter(every, 0.1)
        }) else {
            return;
        };
        sleep(pause).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.register().await {
            tracing::warn!(%error, "no seed was told that this member is still there");
        }
    }
}

impl Inner {
    fn stop_updates(&self) {
        if let Some(updates) = self.state.lock().updates.take() {
            updates.abort();
        }
    }

    /// The union of the lists of enough seeds.
    async fn lookup(self: &Arc<Self>) -> Result<BTreeMap<PeerId, Vec<Locator>>, DiscoveryError> {
        let me = self.circle.access()?.me();
        let (answered, wrong) = self.circle.gather(&Request::List.encode(), Answer::peers).await;
        let answers = answered.len();
        let entries = answered.into_values().flatten().filter(|e| e.peer != me);
        let found: BTreeMap<PeerId, Vec<Locator>> = entries.map(|e| (e.peer, e.addrs)).collect();
        if found.is_empty() && answers < self.circle.enough() {
            return Err(self.circle.few(answers, "know that nobody is there", wrong.as_ref()));
        }
        self.doubt(&found.keys().copied().collect::<Vec<_>>());
        Ok(found)
    }

    /// Who looks again was not let in by those that it was told of: seeds are asked whether they are still there.
    fn doubt(self: &Arc<Self>, found: &[PeerId]) {
        let mut state = self.state.lock();
        if state.me.is_some() {
            return;
        }
        let tried = std::mem::replace(&mut state.tried, found.to_vec());
        for peer in tried.into_iter().filter(|peer| found.contains(peer)).take(TRIES) {
            let inner = self.clone();
            tokio::spawn(async move { inner.report(peer).await });
        }
    }

    /// Every seed is told of a death: which of them know a peer is that peer's choice.
    async fn report(&self, dead: PeerId) {
        self.circle.tell(self.circle.order.clone(), &Request::Report(dead).encode()).await;
    }

    /// Tells enough seeds that this member is there.
    async fn register(&self) -> Result<(), DiscoveryError> {
        self.circle.access()?;
        let Some(me) = self.state.lock().me.clone() else { return Ok(()) };
        let request = Request::Register(me.addrs).encode();
        let (answered, wrong) = self.circle.gather(&request, Answer::peers).await;
        if answered.is_empty() {
            let why = wrong.map(|e| e.to_string()).unwrap_or_default();
            return Err(self.circle.down(format!("none has registered this member ({why})")));
        }
        if let Some(error) = wrong {
            tracing::info!(%error, "a seed did not register this member");
        }
        self.state.lock().tried.clear();
        Ok(())
    }
}
