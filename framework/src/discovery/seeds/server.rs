//! A seed that runs.

use std::sync::Arc;
use std::time::Duration;

use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;

use super::messages::{Answer, Request};
use super::state::State;
use crate::crypto::random;
use crate::discovery::kind;
use crate::discovery::service::Access;
use crate::discovery::service::host::Caller;
use crate::discovery::service::server::{Kind, Server};
use crate::link::Locator;
use crate::store::Store;

/// Seeds of a profile.
#[derive(Debug)]
pub(super) struct Seed {
    pub(super) expire: Duration,
}

impl Kind for Seed {
    const KIND: &'static str = kind::SEEDS;
    const NAME: &'static str = "seed";
    type State = State;

    fn begin(&self, _: &Access, _: &dyn Store) -> Result<State, String> {
        let random = random().map_err(|e| e.to_string())?;
        Ok(State::new(self.expire, u64::from_le_bytes(random)))
    }

    fn answer(server: &Arc<Server<Self>>, now: Instant, from: &Caller, request: &[u8]) -> Option<Vec<u8>> {
        let who = from.peer;
        let answer = match Request::decode(request).ok()? {
            Request::List => server.with(|state| Answer::Peers(state.list(&who))),
            Request::Register(addrs) => {
                server.with(|state| match state.register(now, who, &from.source, &addrs) {
                    Ok(()) => Answer::Peers(state.list(&who)),
                    Err(why) => Answer::Refused(why.into()),
                })
            }
            Request::Leave => {
                server.with(|state| state.leave(&who));
                Answer::Done
            }
            Request::Report(about) => {
                if let Some(at) = server.with(|state| state.report(now, &about)) {
                    check(server.clone(), about, at);
                }
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
        for (about, at) in server.with(|state| state.tick(now)) {
            check(server.clone(), about, at);
        }
    }
}

/// Asks a peer that was reported dead whether it is.
fn check(server: Arc<Server<Seed>>, about: PeerId, at: Vec<Locator>) {
    tokio::spawn(async move {
        let answers = server.access.answers(&about, &at).await;
        server.with(|state| state.checked(server.clock.now(), &about, &at, answers));
    });
}
