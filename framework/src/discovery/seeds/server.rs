//! A seed that runs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tertulia_core::time::Instant;
use tokio::sync::mpsc;

use super::messages::{Answer, Request};
use super::state::{Change, State};
use crate::crypto::random;
use crate::discovery::kind;
use crate::discovery::service::host::{Answers, Caller, Clock, Teller, kept, listen, run};
use crate::discovery::service::{Access, News, Running, Service, ServiceError, ServiceEvent};
use crate::link::Locator;
use crate::store::Store;

/// What a seed keeps.
const ITEM: &str = "seed";

/// One of the profile's seeds.
#[derive(Debug)]
pub(super) struct Seed {
    pub(super) index: usize,
    pub(super) at: Locator,
    pub(super) expire: Duration,
}

#[async_trait]
impl Service for Seed {
    fn kind(&self) -> &'static str {
        kind::SEEDS
    }

    fn name(&self) -> String {
        format!("seed-{}", self.index)
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
        let clock = Clock::start();
        let random = random().map_err(|e| ServiceError::refused(at, &e.to_string()))?;
        let mut state = State::new(self.expire, u64::from_le_bytes(random));
        if let Some(bytes) = kept(at, &store, ITEM).await?
            && let Err(error) = state.restore(clock.now(), &bytes)
        {
            tracing::warn!(%error, "what this seed kept cannot be read: it begins anew");
        }
        let teller = Teller { service: kind::SEEDS, addr: listener.local(), told };
        teller.tell(News::Ready);
        let server = Server { state: Mutex::new(state), access: access.clone(), clock, teller };
        Ok(run(&Arc::new(server), clock, listener, access, (store, ITEM)))
    }
}

struct Server {
    state: Mutex<State>,
    access: Access,
    clock: Clock,
    teller: Teller,
}

impl Server {
    /// Does something with the state, and tells what changed by it.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let done = act(&mut state);
        for change in state.changes() {
            self.teller.tell(match change {
                Change::Registered(peer, at) => News::Registered { peer, at },
                Change::Removed(peer, reason) => News::Removed { peer, reason },
            });
        }
        done
    }

    /// Asks a peer that was reported dead whether it is.
    fn check(self: &Arc<Self>, about: tertulia_core::id::PeerId, at: Vec<Locator>) {
        let server = self.clone();
        tokio::spawn(async move {
            let answers = server.access.answers(&about, &at).await;
            server.with(|state| state.checked(server.clock.now(), &about, &at, answers));
        });
    }
}

impl Answers for Server {
    fn answer(self: &Arc<Self>, now: Instant, from: &Caller, request: &[u8]) -> Option<Vec<u8>> {
        let who = from.peer;
        let answer = match Request::decode(request).ok()? {
            Request::List => self.with(|state| Answer::Peers(state.list(&who))),
            Request::Register(addrs) => {
                self.with(|state| match state.register(now, who, &from.source, &addrs) {
                    Ok(()) => Answer::Peers(state.list(&who)),
                    Err(why) => Answer::Refused(why.into()),
                })
            }
            Request::Leave => {
                self.with(|state| state.leave(&who));
                Answer::Done
            }
            Request::Report(about) => {
                if let Some(at) = self.with(|state| state.report(now, &about)) {
                    self.check(about, at);
                }
                Answer::Done
            }
            Request::Found if self.with(|state| state.lease.take(now, who)) => Answer::Done,
            Request::Found => Answer::Refused("somebody else founds the group".into()),
            Request::Release => {
                self.with(|state| state.lease.release(&who));
                Answer::Done
            }
        };
        Some(answer.encode())
    }

    fn tick(self: &Arc<Self>, now: Instant) {
        self.with(|state| state.tick(now));
    }

    fn changed(&self) -> Option<Vec<u8>> {
        self.state.lock().changed()
    }
}
