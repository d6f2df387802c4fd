//! Seeds in this process, and members that find each other through them.

use std::sync::Arc;
use std::time::Duration;

use tertulia::bus::Builder;
use tertulia::crypto::Identity;
use tertulia::discovery::service::{Access, News, Running, ServiceEvent};
use tertulia::discovery::{Discovery, Seeds, SeedsConfig};
use tertulia::link::{HandshakeParams, Locator, admit_epoch};
use tertulia::store::{MemoryStore, Store};
use tertulia_core::id::Incarnation;
use tertulia_core::units::Span;
use tokio::sync::mpsc;

use crate::group::Group;
use crate::wait::soon;

/// The seeds of a group.
pub struct Nursery {
    group: Group,
    config: SeedsConfig,
    /// One for each seed; what is not there is down.
    pub running: Vec<Option<Running>>,
    stores: Vec<Arc<dyn Store>>,
    tell: mpsc::Sender<ServiceEvent>,
    told: mpsc::Receiver<ServiceEvent>,
}

impl Nursery {
    /// `n` seeds on free ports.
    pub async fn start(group: &Group, n: usize, update: Duration) -> Nursery {
        let places = (1..=n).map(|i| format!("127.0.0.1:{i}")).collect();
        let config = SeedsConfig { seeds: places, update: Span(update), expire: Span(update * 3) };
        let (tell, told) = mpsc::channel(1 << 12);
        let stores = (0..n).map(|_| Arc::new(MemoryStore::default()) as Arc<dyn Store>).collect();
        let running = (0..n).map(|_| None).collect();
        let mut nursery = Nursery { group: group.clone(), config, running, stores, tell, told };
        for i in 0..n {
            nursery.restart(i, "127.0.0.1:0").await;
            let addr = nursery.running[i].as_ref().unwrap().addr().to_string();
            nursery.config.seeds[i] = addr;
        }
        nursery
    }

    async fn restart(&mut self, i: usize, at: &str) {
        let at = Locator::parse_or("tcp", at).unwrap();
        let services = Seeds::build(self.config.clone(), "tcp").unwrap().services();
        let store = self.stores[i].clone();
        let running = services[i].serve(&at, access(&self.group), store, self.tell.clone()).await;
        self.running[i] = Some(running.unwrap());
    }

    /// Starts a seed again where it was.
    pub async fn back(&mut self, i: usize) {
        let at = self.config.seeds[i].clone();
        self.restart(i, &at).await;
    }

    /// Ends a seed.
    pub async fn stop(&mut self, i: usize) {
        self.running[i].take().unwrap().stop().await;
    }

    /// A client of its own for one member.
    #[must_use]
    pub fn client(&self) -> Arc<Seeds> {
        Seeds::build(self.config.clone(), "tcp").unwrap()
    }

    /// A client that speaks for nobody in the group but itself.
    #[must_use]
    pub fn stranger(&self) -> Arc<Seeds> {
        let client = self.client();
        client.attach(access(&self.group));
        client
    }

    /// A member that finds the others through the seeds.
    #[must_use]
    pub fn member(&self, nick: &str) -> Builder {
        self.group.member(nick).discovery(self.client())
    }

    /// Waits until `wanted` finds something in the news of the seeds.
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

fn access(group: &Group) -> Access {
    let params = HandshakeParams {
        identity: Arc::new(Identity::generate().unwrap()),
        group: group.key.clone(),
        incarnation: Incarnation(1),
        epoch: u64::from(group.epoch),
        admit: admit_epoch(u64::from(group.epoch)),
    };
    Access::new(group.transport(), group.crypto(), params)
}
