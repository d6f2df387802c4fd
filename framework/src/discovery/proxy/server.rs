//! A proxy that runs.

use std::sync::Arc;
use std::time::Duration;

use tertulia_core::time::Instant;

use super::messages::{Answer, Request};
use super::state::{NO_MAJORITY, State};
use crate::discovery::kind;
use crate::discovery::service::Access;
use crate::discovery::service::host::Caller;
use crate::discovery::service::server::{Kind, Server};
use crate::discovery::service::wire::Entry;
use crate::store::Store;

/// Proxies of a profile.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) expire: Duration,
}

impl Kind for Proxy {
    const KIND: &'static str = kind::PROXY;
    const NAME: &'static str = "proxy";
    type State = State;

    fn begin(&self, _: &Access, _: &dyn Store) -> Result<State, String> {
        Ok(State::new(self.expire))
    }

    fn answer(server: &Arc<Server<Self>>, now: Instant, from: &Caller, request: &[u8]) -> Option<Vec<u8>> {
        let who = from.peer;
        let answer = match Request::decode(request).ok()? {
            Request::Who => server.with(|state| state.ask(now, &who)),
            Request::Lead { proof, members } => {
                let auth = server.access.auth();
                match server.with(|state| state.lead(now, &auth, who, &proof, members)) {
                    Ok(()) => Answer::Done,
                    Err(why) => {
                        if why == NO_MAJORITY {
                            // It may have them, and those whose votes are missing may be gone.
                            check(server, server.with(|state| state.doubt(now)));
                        }
                        Answer::Refused(why.into())
                    }
                }
            }
            Request::Resign => {
                server.with(|state| state.resign(&who));
                Answer::Done
            }
            Request::Doubt => {
                check(server, server.with(|state| state.doubt(now)));
                Answer::Done
            }
            Request::Found if server.with(|state| state.lease.take(now, who)) => Answer::Done,
            Request::Found => Answer::Refused("somebody else founds the group".into()),
            Request::Release => {
                server.with(|state| state.lease.release(&who));
                Answer::Done
            }
        };
        Some(answer.encode())
    }

    fn tick(server: &Arc<Server<Self>>, now: Instant) {
        check(server, server.with(|state| state.tick(now)));
    }
}

/// Asks those that newcomers are sent to whether they are there.
fn check(server: &Arc<Server<Proxy>>, doubted: Vec<Entry>) {
    if doubted.is_empty() {
        return;
    }
    let server = server.clone();
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
