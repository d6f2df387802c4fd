//! A key manager in this process, and members that it vouches for.

use std::sync::Arc;
use std::time::Duration;

use tertulia::bus::Builder;
use tertulia::crypto::rsa::RsaKey;
use tertulia::discovery::keys::{Keys, KeysConfig, KeysError, manager_pair};
use tertulia::discovery::service::{Access, News, Running, ServiceEvent};
use tertulia::link::Locator;
use tertulia::store::{MemoryStore, Store};
use tertulia_core::id::PeerId;
use tertulia_core::units::Span;
use tokio::sync::mpsc;

use crate::group::Group;
use crate::services::access;
use crate::wait::soon;

/// A group's key manager.
pub struct Manager {
    group: Group,
    config: KeysConfig,
    public: RsaKey,
    /// None while it is down.
    pub running: Option<Running>,
    store: Arc<dyn Store>,
    tell: mpsc::Sender<ServiceEvent>,
    told: mpsc::Receiver<ServiceEvent>,
}

impl Manager {
    /// A key manager on a free port. Members have their keys vouched for so often, and for twice as long.
    pub async fn start(group: &Group, update: Duration) -> Manager {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let public = manager_pair(&*store).unwrap().0.public();
        let (update, expire) = (Span(update), Span(update * 2));
        let config = KeysConfig { manager: "127.0.0.1:0".into(), update, expire, ..KeysConfig::default() };
        let (tell, told) = mpsc::channel(1 << 12);
        let mut manager = Manager { group: group.clone(), config, public, running: None, store, tell, told };
        manager.back().await;
        manager.config.manager = manager.addr().to_string();
        manager
    }

    /// Where it is.
    #[must_use]
    pub fn addr(&self) -> &Locator {
        self.running.as_ref().unwrap().addr()
    }

    /// Starts it where it was.
    pub async fn back(&mut self) {
        let service = self.config.services(self.group.wire.kind()).unwrap().remove(0);
        let (access, store) = (access(&self.group), self.store.clone());
        let running = service.serve(service.at(), access, store, self.tell.clone()).await;
        self.running = Some(running.unwrap());
    }

    /// Ends it, its state saved.
    pub async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    /// A member's side of it.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys::build(&self.config, self.group.wire.kind(), self.public).unwrap()
    }

    /// A member that it may vouch for.
    #[must_use]
    pub fn member(&self, nick: &str) -> Builder {
        self.group.member(nick).keys(self.keys())
    }

    /// What it says to somebody who is in the group and has no key.
    pub async fn look_up(&self, who: PeerId) -> Result<RsaKey, KeysError> {
        self.keys().look_up(&self.stranger(), who).await
    }

    /// Somebody who is in the group and has no key.
    #[must_use]
    pub fn stranger(&self) -> Access {
        access(&self.group)
    }

    /// Members look for it at another address.
    pub fn moves(&mut self, at: &Locator) {
        self.config.manager = at.to_string();
    }

    /// Waits until it knows a key no longer; whose, and why.
    pub async fn removed(&mut self) -> (PeerId, &'static str) {
        soon("a removal", async {
            loop {
                if let News::Removed { peer, reason } = self.told.recv().await.unwrap().news {
                    return (peer, reason);
                }
            }
        })
        .await
    }

    /// Waits until it knows one more key; whose.
    pub async fn registered(&mut self) -> PeerId {
        soon("a registration", async {
            loop {
                if let News::Registered { peer, .. } = self.told.recv().await.unwrap().news {
                    return peer;
                }
            }
        })
        .await
    }
}
