//! Asking: one request to a service, or the question who a member is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tertulia_core::id::PeerId;
use tokio::time::{sleep, timeout};

use super::channel::Channel;
use super::{Access, LIMIT, ServiceError};
use crate::link::{
    EstablishError, HandshakeParams, Link, Locator, Refusal, Role, Side, TransportError, establish,
};

/// Over datagrams a request is sent again after so long.
const RESEND: Duration = Duration::from_millis(300);
/// The pause before a busy service is asked again.
const BUSY: Duration = Duration::from_millis(150);

impl Access {
    /// Asks a service once, and waits for its answer for a few seconds at most.
    pub(in crate::discovery) async fn ask(
        &self,
        at: &Locator,
        request: &[u8],
    ) -> Result<Bytes, ServiceError> {
        let asked = timeout(LIMIT, async {
            loop {
                match self.ask_now(at, request).await {
                    Err(error) if error.code == Refusal::Busy.code() => sleep(BUSY).await,
                    answer => return answer,
                }
            }
        });
        asked.await.unwrap_or_else(|_| Err(ServiceError::new(at, "slow", "no answer")))
    }

    async fn ask_now(&self, at: &Locator, request: &[u8]) -> Result<Bytes, ServiceError> {
        let link = self.connect(at, &self.service_params()).await;
        let link = link.map_err(|e| ServiceError::new(at, e.code(), e.to_string()))?;
        let caps = self.transport.caps();
        let mut channel = Channel::new(link, &caps)?;
        loop {
            channel.send(request.to_vec()).await?;
            if caps.is_stream() {
                return channel.receive().await;
            }
            if let Ok(answer) = timeout(RESEND, channel.receive()).await {
                return answer;
            }
        }
    }

    /// True when the member `who` answers at one of these addresses: it proves its key, or refuses as a member does that is
    /// busy or does not talk with whoever this service is set up to be. It never becomes a link: the member is told that a
    /// service asked.
    pub(in crate::discovery) async fn answers(&self, who: &PeerId, at: &[Locator]) -> bool {
        for addr in at {
            if matches!(timeout(LIMIT, self.is_there(who, addr)).await, Ok(true)) {
                return true;
            }
        }
        false
    }

    async fn is_there(&self, who: &PeerId, at: &Locator) -> bool {
        let proven = Arc::new(Mutex::new(None));
        let seen = proven.clone();
        let mut params = self.params.clone();
        params.admit = Arc::new(move |peer, _| match peer {
            None => Ok(()),
            Some(peer) => {
                *seen.lock() = Some(*peer);
                Err(Refusal::Service)
            }
        });
        let there = match self.connect(at, &params).await {
            Err(EstablishError::Handshake(error)) => {
                error.side == Side::Them && error.refusal.tells_of_member()
            }
            _ => false,
        };
        there || *proven.lock() == Some(*who)
    }

    async fn connect(&self, at: &Locator, params: &HandshakeParams) -> Result<Link, EstablishError> {
        let raw = self.transport.dial(at).await.map_err(|e: TransportError| EstablishError::Transport(e))?;
        establish(raw, Role::Initiator, &*self.crypto, params, LIMIT).await
    }
}
