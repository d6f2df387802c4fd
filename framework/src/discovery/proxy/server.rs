//! A proxy that runs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tertulia_core::time::Instant;
use tokio::sync::mpsc;

use super::messages::{Answer, Request};
use super::state::{Change, NO_MAJORITY, State};
use crate::crypto::LiveAuth;
use crate::discovery::kind;
use crate::discovery::service::host::{Answers, Caller, Clock, Teller, kept, listen, run};
use crate::discovery::service::wire::Entry;
use crate::discovery::service::{Access, News, Running, Service, ServiceError, ServiceEvent};
use crate::link::Locator;
use crate::store::Store;

/// What a proxy keeps.
const ITEM: &str = "proxy";

/// One of the profile's proxies.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) index: usize,
    pub(super) at: Locator,
    pub(super) expire: Duration,
}

#[async_trait]
impl Service for Proxy {
    fn kind(&self) -> &'static str {
        kind::PROXY
    }

    fn name(&self) -> String {
        format!("proxy-{}", self.index)
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
        let mut state = State::new(self.expire);
        if let Some(bytes) = kept(at, &store, ITEM).await?
            && let Err(error) = state.restore(clock.now(), &bytes)
        {
            tracing::warn!(%error, "what this proxy kept cannot be read: it begins anew");
        }
        let teller = Teller { service: kind::PROXY, addr: listener.local(), told };
        teller.tell(News::Ready);
        let auth = access.auth();
        let server = Server { state: Mutex::new(state), auth, access: access.clone(), clock, teller };
        Ok(run(&Arc::new(server), clock, listener, access, (store, ITEM)))
    }
}

struct Server {
    state: Mutex<State>,
    auth: LiveAuth,
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
                Change::Leads(Entry { peer, addrs }) => News::Registered { peer, at: addrs },
                Change::Gone(peer, reason) => News::Removed { peer, reason },
            });
        }
        done
    }

    /// Asks those that newcomers are sent to whether they are there.
    fn check(self: &Arc<Self>, doubted: Vec<Entry>) {
        if doubted.is_empty() {
            return;
        }
        let server = self.clone();
        tokio::spawn(async move {
            let mut asked = tokio::task::JoinSet::new();
            for entry in doubted {
                let access = server.access.clone();
                asked.spawn(async move { (access.answers(&entry.peer, &entry.addrs).await, entry) });
            }
            let all = asked.join_all().await;
            let silent: Vec<Entry> =
                all.into_iter().filter_map(|(answers, entry)| (!answers).then_some(entry)).collect();
            server.with(|state| state.checked(server.clock.now(), &silent));
        });
    }
}

impl Answers for Server {
    fn answer(self: &Arc<Self>, now: Instant, from: &Caller, request: &[u8]) -> Option<Vec<u8>> {
        let who = from.peer;
        let answer = match Request::decode(request).ok()? {
            Request::Who => self.with(|state| state.ask(now, &who)),
            Request::Lead { proof, members } => {
                match self.with(|state| state.lead(now, &self.auth, who, &proof, members)) {
                    Ok(()) => Answer::Done,
                    Err(why) => {
                        if why == NO_MAJORITY {
                            // It may have them, and those whose votes are missing may be gone.
                            self.check(self.with(|state| state.doubt(now)));
                        }
                        Answer::Refused(why.into())
                    }
                }
            }
            Request::Resign => {
                self.with(|state| state.resign(&who));
                Answer::Done
            }
            Request::Doubt => {
                self.check(self.with(|state| state.doubt(now)));
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
        self.check(self.with(|state| state.tick(now)));
    }

    fn changed(&self) -> Option<Vec<u8>> {
        self.state.lock().changed()
    }
}
