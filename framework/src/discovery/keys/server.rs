//! A key manager that runs.

use std::sync::Arc;
use std::time::Duration;

use tertulia_core::time::Instant;

use super::messages::{Answer, Request};
use super::state::State;
use super::{KIND, manager_pair};
use crate::discovery::service::Access;
use crate::discovery::service::host::{Caller, Clock};
use crate::discovery::service::server::{Kind, Server};
use crate::store::Store;

/// The key manager of a profile.
#[derive(Debug)]
pub(super) struct Manager {
    pub(super) expire: Duration,
}

impl Kind for Manager {
    const KIND: &'static str = KIND;
    const NAME: &'static str = "keys";
    type State = State;

    fn begin(&self, access: &Access, store: &dyn Store) -> Result<State, String> {
        let (pair, _) = manager_pair(store).map_err(|e| e.to_string())?;
        Ok(State::new(Arc::new(pair), access.group(), self.expire))
    }

    /// Vouchers are judged by the clocks of those who see them.
    fn clock() -> Clock {
        Clock::Wall
    }

    fn answer(server: &Arc<Server<Self>>, now: Instant, from: &Caller, request: &[u8]) -> Option<Vec<u8>> {
        let answered = match Request::decode(request).ok()? {
            Request::Register(_, key, proven) => {
                let who = (from.peer, from.source.as_str());
                server.with(|state| state.register(now, who, key, &proven))?
            }
            Request::LookUp(_, about) => server.with(|state| state.look_up(now, &about)),
        };
        let answer = match answered {
            Ok(voucher) => Answer::Vouched(voucher),
            Err(why) => {
                let manager = server.with(|state| state.manager());
                Answer::no(why, request, &server.access.group(), &manager).ok()?
            }
        };
        Some(answer.encode())
    }

    fn tick(server: &Arc<Server<Self>>, now: Instant) {
        server.with(|state| state.tick(now));
    }
}
