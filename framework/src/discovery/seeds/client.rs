//! The member's side of seeds.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tertulia_core::id::PeerId;
use tertulia_core::rng::NodeRng;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::Settings;
use super::messages::{Answer, Entry, Request};
use super::server::Seed;
use crate::crypto::random;
use crate::discovery::service::{Access, Service, ServiceError};
use crate::discovery::{Announcement, Discovery, DiscoveryError, Founding, kind};
use crate::link::Locator;

/// Addresses that a newcomer is given to try.
const TRIES: usize = 32;
/// How long leaving may wait for seeds.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long another program may found before one stops waiting for it.
const FOUNDING_WAIT: Duration = Duration::from_secs(15);
/// The shortest and the longest pause before founding is asked for again.
const FOUNDING_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));

const REMEDY: &str = "start the seeds (`tertulia serve`, `gossip-chat seed`)";

/// Finds members through seeds. See the [module](super).
pub struct Seeds(Arc<Inner>);

struct Inner {
    settings: Settings,
    /// The seeds in an order of this run's own: the first n/2+1 that answer are its choice.
    order: Vec<Locator>,
    access: OnceLock<Access>,
    state: Mutex<State>,
}

struct State {
    rng: NodeRng,
    /// What is told to the seeds, from the first announcement to the end.
    me: Option<Announcement>,
    updates: Option<AbortHandle>,
    /// The seeds that know this member.
    registered: Vec<Locator>,
    /// Peers that were found before this member was one.
    tried: Vec<PeerId>,
}

impl Seeds {
    pub(super) fn new(settings: Settings) -> Result<Self, String> {
        let random = random().map_err(|e| e.to_string())?;
        let mut rng = NodeRng::new(u64::from_le_bytes(random));
        let mut order = settings.seeds.clone();
        rng.shuffle(&mut order);
        let state = State { rng, me: None, updates: None, registered: Vec::new(), tried: Vec::new() };
        let inner = Inner { settings, order, access: OnceLock::new(), state: Mutex::new(state) };
        Ok(Seeds(Arc::new(inner)))
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
        // A client serves one node.
        let _attached = self.0.access.set(access);
    }

    fn services(&self) -> Vec<Box<dyn Service>> {
        let expire = self.0.settings.config.expire.0;
        let seeds = self.0.settings.seeds.iter().cloned().enumerate();
        seeds.map(|(index, at)| Box::new(Seed { index, at, expire }) as Box<dyn Service>).collect()
    }

    async fn lookup(&self) -> Result<Vec<Locator>, DiscoveryError> {
        let found = self.0.lookup().await?;
        let mut addrs: Vec<Locator> = found.into_values().flatten().collect();
        self.0.state.lock().rng.shuffle(&mut addrs);
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
        self.0.tell_all(Request::Report(*dead)).await;
    }

    async fn withdraw(&self) {
        self.0.stop_updates();
        if self.0.state.lock().me.take().is_some() {
            let mine = self.0.state.lock().registered.clone();
            let _slow = timeout(GOODBYE, self.0.tell(mine, Request::Leave)).await;
        }
    }

    async fn founding(&self) -> Result<Founding, DiscoveryError> {
        let deadline = Instant::now() + FOUNDING_WAIT;
        loop {
            if let Some(lease) = self.0.try_found().await? {
                return Ok(Founding::held(lease));
            }
            if Instant::now() >= deadline {
                return Err(DiscoveryError::Busy(self.0.place()));
            }
            let (least, most) = FOUNDING_PAUSE;
            let pause = least + (most - least).mul_f64(self.0.state.lock().rng.unit());
            sleep(pause).await;
        }
    }
}

/// Tells the seeds regularly that this member is still there.
async fn update(inner: Weak<Inner>) {
    loop {
        let Some(pause) = inner.upgrade().map(|inner| {
            let every = inner.settings.config.update.0;
            inner.state.lock().rng.jitter(every, 0.1)
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

/// The right to found: let go when this does.
struct Lease {
    inner: Arc<Inner>,
    seeds: Vec<Locator>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (inner, seeds) = (self.inner.clone(), std::mem::take(&mut self.seeds));
        // Without a runtime the program ends, and the seeds' own limit does it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { inner.tell(seeds, Request::Release).await });
        }
    }
}

impl Inner {
    fn stop_updates(&self) {
        if let Some(updates) = self.state.lock().updates.take() {
            updates.abort();
        }
    }

    /// The seeds, for people.
    fn place(&self) -> String {
        let all: Vec<&str> = self.settings.seeds.iter().map(Locator::as_str).collect();
        format!("the seeds {}", all.join(", "))
    }

    fn down(&self, reason: impl Into<String>) -> DiscoveryError {
        DiscoveryError::Down { place: self.place(), reason: reason.into(), remedy: REMEDY.into() }
    }

    fn access(&self) -> Result<&Access, DiscoveryError> {
        self.access.get().ok_or_else(|| self.down("there is no member yet that could ask them"))
    }

    /// Asks the first n/2+1 seeds that answer: those of this run's choice, and others in place of those that are down.
    /// Returns who listed which peers, and what was wrong with the last that was not as it should be.
    async fn gather(
        &self,
        request: &Request,
    ) -> Result<(BTreeMap<Locator, Vec<Entry>>, Option<ServiceError>), DiscoveryError> {
        let access = self.access()?;
        let (mut answered, mut wrong) = (BTreeMap::new(), None);
        let mut order = self.order.iter();
        loop {
            let missing = self.settings.enough().saturating_sub(answered.len());
            let next: Vec<Locator> = order.by_ref().take(missing).cloned().collect();
            if next.is_empty() {
                return Ok((answered, wrong));
            }
            for (at, answer) in each(next, |at| ask(access.clone(), at, request.clone())).await {
                match answer {
                    Ok(Answer::Peers(peers)) => drop(answered.insert(at, peers)),
                    Ok(Answer::Refused(why)) => wrong = Some(ServiceError::refused(&at, &why)),
                    Ok(Answer::Done) => wrong = Some(ServiceError::malformed(&at)),
                    Err(error) => wrong = Some(error),
                }
            }
        }
    }

    /// The union of the lists of enough seeds.
    async fn lookup(self: &Arc<Self>) -> Result<BTreeMap<PeerId, Vec<Locator>>, DiscoveryError> {
        let (answered, wrong) = self.gather(&Request::List).await?;
        let me = self.access()?.me();
        let (answers, enough) = (answered.len(), self.settings.enough());
        let entries = answered.into_values().flatten().filter(|e| e.peer != me);
        let found: BTreeMap<PeerId, Vec<Locator>> = entries.map(|e| (e.peer, e.addrs)).collect();
        if found.is_empty() && answers < enough {
            let why = wrong.map(|e| e.to_string()).unwrap_or_default();
            let all = self.settings.seeds.len();
            return Err(self.down(format!(
                "{answers} of {all} answer, and {enough} are needed to know that nobody is there ({why})"
            )));
        }
        self.doubt(found.keys().copied().collect());
        Ok(found)
    }

    /// Who looks again was not let in by those that it was told of: seeds are asked whether they are still there.
    fn doubt(self: &Arc<Self>, found: Vec<PeerId>) {
        let mut state = self.state.lock();
        if state.me.is_some() {
            return;
        }
        let tried = std::mem::replace(&mut state.tried, found.clone());
        for peer in tried.into_iter().filter(|peer| found.contains(peer)).take(TRIES) {
            let inner = self.clone();
            tokio::spawn(async move { inner.tell_all(Request::Report(peer)).await });
        }
    }

    /// Tells enough seeds that this member is there.
    async fn register(&self) -> Result<(), DiscoveryError> {
        let Some(me) = self.state.lock().me.clone() else { return Ok(()) };
        let (answered, wrong) = self.gather(&Request::Register(me.addrs)).await?;
        if answered.is_empty() {
            let why = wrong.map(|e| e.to_string()).unwrap_or_default();
            return Err(self.down(format!("none has registered this member ({why})")));
        }
        if let Some(error) = wrong {
            tracing::info!(%error, "a seed did not register this member");
        }
        let mut state = self.state.lock();
        state.tried.clear();
        state.registered = answered.into_keys().collect();
        Ok(())
    }

    /// Asks the seeds for the right to found, one after the other in the order of the profile, so that of several members
    /// that start together the first one gets all. `None` while another one has it.
    async fn try_found(self: &Arc<Self>) -> Result<Option<Lease>, DiscoveryError> {
        let access = self.access()?;
        let mut lease = Lease { inner: self.clone(), seeds: Vec::new() };
        let mut wrong = None;
        for at in &self.settings.seeds {
            match ask(access.clone(), at.clone(), Request::Found).await {
                Ok(Answer::Done) => lease.seeds.push(at.clone()),
                Ok(Answer::Refused(_)) => return Ok(None),
                Ok(Answer::Peers(_)) => wrong = Some(ServiceError::malformed(at)),
                Err(error) => wrong = Some(error),
            }
        }
        let (got, enough) = (lease.seeds.len(), self.settings.enough());
        if got >= enough {
            return Ok(Some(lease));
        }
        let (all, why) = (self.settings.seeds.len(), wrong.map(|e| e.to_string()).unwrap_or_default());
        Err(self.down(format!("{got} of {all} answer, and {enough} are needed to found the group ({why})")))
    }

    /// Tells something to every seed: which of them know a peer is that peer's choice.
    async fn tell_all(&self, request: Request) {
        self.tell(self.order.clone(), request).await;
    }

    async fn tell(&self, seeds: Vec<Locator>, request: Request) {
        let Ok(access) = self.access() else { return };
        for (at, answer) in each(seeds, |at| ask(access.clone(), at, request.clone())).await {
            if let Err(error) = answer {
                tracing::debug!(%at, %error, "a seed was not told");
            }
        }
    }
}

async fn ask(access: Access, at: Locator, request: Request) -> Result<Answer, ServiceError> {
    let bytes = access.ask(&at, &request.encode()).await?;
    Answer::decode(&bytes).map_err(|_| ServiceError::malformed(&at))
}

/// Asks all of these at the same time.
async fn each<F>(
    seeds: Vec<Locator>,
    ask: impl Fn(Locator) -> F,
) -> Vec<(Locator, Result<Answer, ServiceError>)>
where
    F: Future<Output = Result<Answer, ServiceError>> + Send + 'static,
{
    let mut asked = JoinSet::new();
    for at in seeds {
        let answer = ask(at.clone());
        asked.spawn(async move { (at, answer.await) });
    }
    asked.join_all().await
}
