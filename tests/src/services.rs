//! Services in this process, and members that find each other through them.

use std::sync::Arc;
use std::time::Duration;

use tertulia::bus::Builder;
use tertulia::crypto::Identity;
use tertulia::discovery::service::{Access, News, Running, ServiceEvent};
use tertulia::discovery::{Discovery, Proxy, ProxyConfig, Seeds, SeedsConfig};
use tertulia::link::{HandshakeParams, Locator, admit_epoch};
use tertulia::store::{MemoryStore, Store};
use tertulia_core::id::Incarnation;
use tertulia_core::units::Span;
use tokio::sync::mpsc;

use crate::group::Group;
use crate::wait::soon;

/// Builds the discovery that knows these places.
type Build = fn(&[String], Span) -> Arc<dyn Discovery>;

/// The services of a group.
pub struct Services {
    group: Group,
    places: Vec<String>,
    update: Span,
    build: Build,
    /// One for each place; what is not there is down.
    pub running: Vec<Option<Running>>,
    stores: Vec<Arc<dyn Store>>,
    tell: mpsc::Sender<ServiceEvent>,
    told: mpsc::Receiver<ServiceEvent>,
}

impl Services {
    /// `n` seeds on free ports.
    pub async fn seeds(group: &Group, n: usize, update: Duration) -> Services {
        Services::start(group, n, update, |places, update| {
            let config = SeedsConfig { seeds: places.to_vec(), update, expire: Span(update.0 * 3) };
            Seeds::build(config, "tcp").unwrap()
        })
        .await
    }

    /// `n` proxies on free ports.
    pub async fn proxies(group: &Group, n: usize, update: Duration) -> Services {
        Services::start(group, n, update, |places, update| {
            let config = ProxyConfig { proxies: places.to_vec(), update, expire: Span(update.0 * 3) };
            Proxy::build(config, "tcp").unwrap()
        })
        .await
    }

    async fn start(group: &Group, n: usize, update: Duration, build: Build) -> Services {
        let places = (1..=n).map(|i| format!("127.0.0.1:{i}")).collect();
        let (tell, told) = mpsc::channel(1 << 12);
        let stores = (0..n).map(|_| Arc::new(MemoryStore::default()) as Arc<dyn Store>).collect();
        let (group, update, running) = (group.clone(), Span(update), (0..n).map(|_| None).collect());
        let mut services = Services { group, places, update, build, running, stores, tell, told };
        for i in 0..n {
            services.restart(i, "127.0.0.1:0").await;
            services.places[i] = services.running[i].as_ref().unwrap().addr().to_string();
        }
        services
    }

    async fn restart(&mut self, i: usize, at: &str) {
        let at = Locator::parse_or("tcp", at).unwrap();
        let services = self.client().services();
        let store = self.stores[i].clone();
        let running = services[i].serve(&at, access(&self.group), store, self.tell.clone()).await;
        self.running[i] = Some(running.unwrap());
    }

    /// Starts one again where it was.
    pub async fn back(&mut self, i: usize) {
        let at = self.places[i].clone();
        self.restart(i, &at).await;
    }

    /// Ends one.
    pub async fn stop(&mut self, i: usize) {
        self.running[i].take().unwrap().stop().await;
    }

    /// A client of its own for one member.
    #[must_use]
    pub fn client(&self) -> Arc<dyn Discovery> {
        (self.build)(&self.places, self.update)
    }

    /// A client that speaks for nobody in the group but itself.
    #[must_use]
    pub fn stranger(&self) -> Arc<dyn Discovery> {
        let client = self.client();
        client.attach(access(&self.group));
        client
    }

    /// A member that finds the others through them.
    #[must_use]
    pub fn member(&self, nick: &str) -> Builder {
        self.group.member(nick).discovery(self.client())
    }

    /// Waits until `wanted` finds something in their news.
    pub async fn news<T>(&mut self, what: &str, mut wanted: impl FnMut(&News) -> Option<T>) -> T {
        soon(what, async {
            loop {
                if let Some(found) = wanted(&self.told.recv().await.unwrap().news) {
                    return found;
                }
            }
        })
        .await
    }

    /// The news that wait.
    pub fn now(&mut self) -> Vec<News> {
        std::iter::from_fn(|| self.told.try_recv().ok()).map(|e| e.news).collect()
    }
}

/// What somebody brings who is in the group and nobody in it.
pub(crate) fn access(group: &Group) -> Access {
    let params = HandshakeParams {
        identity: Arc::new(Identity::generate().unwrap()),
        group: group.key.clone(),
        incarnation: Incarnation(1),
        epoch: u64::from(group.epoch),
        admit: admit_epoch(u64::from(group.epoch)),
    };
    Access::new(group.transport(), group.crypto(), params)
}
