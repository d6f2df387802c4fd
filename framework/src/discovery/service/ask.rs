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

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tertulia_core::id::Incarnation;
    use tokio::io::{duplex, split};

    use super::*;
    use crate::crypto::{GroupKey, GroupSecret, Identity, noise};
    use crate::link::stream::{StreamRx, StreamTx};
    use crate::link::{Caps, Listener, RawLink, Transport, TransportCode, VOUCHED, admit_epoch, refuse};

    /// One member, who answers at `town://member`.
    struct Town {
        member: HandshakeParams,
        busy: bool,
    }

    #[async_trait]
    impl Transport for Town {
        fn scheme(&self) -> &'static str {
            "town"
        }
        fn caps(&self) -> Caps {
            Caps::STREAM
        }
        async fn listen(&self, at: &Locator) -> Result<Box<dyn Listener>, TransportError> {
            Err(nobody(at))
        }
        async fn dial(&self, to: &Locator) -> Result<RawLink, TransportError> {
            if to.rest() != "member" {
                return Err(nobody(to));
            }
            let (near, far) = duplex(1 << 12);
            let raw = |end| {
                let (rx, tx) = split(end);
                RawLink {
                    tx: Box::new(StreamTx::new(tx)),
                    rx: Box::new(StreamRx::new(rx)),
                    remote: to.clone(),
                }
            };
            let (far, member, busy) = (raw(far), self.member.clone(), self.busy);
            tokio::spawn(async move {
                if busy {
                    return refuse(far, Refusal::Busy, LIMIT).await;
                }
                let suite = noise::build(&noise::Config::default());
                let _refused = establish(far, Role::Responder, &*suite, &member, LIMIT).await;
            });
            Ok(raw(near))
        }
    }

    fn nobody(at: &Locator) -> TransportError {
        TransportError::new(TransportCode::Unreachable, format!("nobody at {at}"), "wait")
    }

    fn params(seed: u8, secret: u8, epoch: u64) -> HandshakeParams {
        let group = GroupKey::new("g", &GroupSecret::from_bytes([secret; 32])).unwrap();
        HandshakeParams {
            identity: Arc::new(Identity::from_seed([seed; 32]).unwrap()),
            group: Arc::new(group),
            incarnation: Incarnation(1),
            epoch,
            admit: admit_epoch(epoch),
        }
    }

    /// True when a service of the first group in this epoch takes `who` to be at these addresses, where `member` is.
    async fn answers(epoch: u64, member: HandshakeParams, busy: bool, who: u8, at: &[&str]) -> bool {
        let town = Arc::new(Town { member, busy });
        let suite = noise::build(&noise::Config::default());
        let access = Access::new(town, suite, params(9, 1, epoch));
        let who = Identity::from_seed([who; 32]).unwrap().id();
        let at: Vec<Locator> = at.iter().map(|at| format!("town://{at}").parse().unwrap()).collect();
        access.answers(&who, &at).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_is_there_that_proves_its_key() {
        for epoch in [0, VOUCHED] {
            assert!(answers(epoch, params(1, 1, epoch), false, 1, &["member"]).await);
            assert!(answers(epoch, params(1, 1, epoch), false, 1, &["nobody", "member"]).await);
            assert!(!answers(epoch, params(1, 1, epoch), false, 1, &["nobody"]).await);
            assert!(!answers(epoch, params(2, 1, epoch), false, 1, &["member"]).await, "another member");
            assert!(!answers(epoch, params(1, 2, epoch), false, 1, &["member"]).await, "another group");
        }
    }

    /// A service that was set up without the key manager's public key, or with one in a group that has none.
    #[tokio::test(start_paused = true)]
    async fn a_member_is_there_that_refuses_who_asks() {
        assert!(answers(0, params(1, 1, VOUCHED), false, 1, &["member"]).await);
        assert!(answers(VOUCHED, params(1, 1, 0), false, 1, &["member"]).await);
        assert!(answers(0, params(1, 1, 7), false, 1, &["member"]).await, "another epoch");
        assert!(answers(0, params(1, 1, 0), true, 1, &["member"]).await, "it is busy");
    }
}
