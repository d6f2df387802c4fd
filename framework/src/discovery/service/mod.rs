//! Services: programs at a known address that help members to find each other, or to know each other's keys, and that no
//! running group needs.
//!
//! A service is spoken to over the group's own transport and crypto suite, with the group's secret, so that whoever
//! asks is known by its key, and strangers learn nothing. The handshakes of services carry [`SERVICE`] in their epoch:
//! a member that dials a service by mistake is told so, and nothing that is said to one can be replayed to the other.
//! A connection carries requests and their answers, one after the other; every service bounds both. Requests may be sent
//! again: doing one twice does no harm.
//!
//! What a service is in itself is a pure state machine in virtual time; `server` makes a service of it, to which `host`
//! gives a listener, a clock and a file.

mod ask;
mod channel;
pub(super) mod circle;
pub(super) mod host;
pub(super) mod lease;
pub(super) mod server;
pub(super) mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tertulia_core::id::{GroupId, PeerId};
use tertulia_core::units::Span;
use tokio::sync::mpsc;

use crate::crypto::LiveAuth;
use crate::link::{Admission, Crypto, HandshakeParams, Locator, SERVICE, Transport, VOUCHED, admit_epoch};
use crate::store::Store;

pub use host::Running;

/// How long asking a service may take, the connection included. Whoever looks for a way in gives all of it 3 s.
const LIMIT: Duration = Duration::from_secs(2);

/// Bytes of a request or an answer at most.
pub const MESSAGE_MAX: usize = 128 * 1024;

/// What it takes to speak to services, or to be one: the group's transport, suite and secret, and an identity.
#[derive(Clone)]
pub struct Access {
    transport: Arc<dyn Transport>,
    crypto: Arc<dyn Crypto>,
    /// As among members.
    params: HandshakeParams,
}

impl Access {
    /// Speaks as the member, or the service, that `params` describe.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, crypto: Arc<dyn Crypto>, params: HandshakeParams) -> Self {
        Access { transport, crypto, params }
    }

    /// Who speaks.
    #[must_use]
    pub fn me(&self) -> PeerId {
        self.params.identity.id()
    }

    /// The group.
    pub(super) fn group(&self) -> GroupId {
        self.params.group.id()
    }

    /// Whose signatures hold in this group.
    pub(super) fn auth(&self) -> LiveAuth {
        LiveAuth::new(self.params.identity.clone(), self.params.group.clone())
    }

    /// What is brought to a handshake between a service and whoever asks it.
    fn service_params(&self) -> HandshakeParams {
        // The key manager vouches for members, and is asked before it does.
        let epoch = self.params.epoch & !VOUCHED | SERVICE;
        let (usual, member, own) = (admit_epoch(epoch), self.params.admit.clone(), self.params.epoch);
        let admit: Admission = Arc::new(move |peer, theirs| {
            usual(peer, theirs)?;
            // In our own epoch: what is left to decide is who it is.
            member(peer, own)
        });
        HandshakeParams { epoch, admit, ..self.params.clone() }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("me", &self.me()).finish_non_exhaustive()
    }
}

/// Checks the options of services that forget whoever does not update what it told.
pub(super) fn check_updates(update: Span, expire: Span) -> Result<(), String> {
    if update < Span::millis(100) || update > Span::secs(3600) {
        return Err(format!("update: {update} is not within 100ms to 1h"));
    }
    if expire.0 < update.0 * 2 || expire > Span::secs(86_400) {
        return Err("expire: write at least twice `update`, and at most a day".into());
    }
    Ok(())
}

/// A service that cannot be asked, or cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ServiceError {
    /// Where.
    pub place: String,
    /// Stable, for programs.
    pub code: &'static str,
    /// Why.
    pub reason: String,
}

impl ServiceError {
    fn new(place: &impl fmt::Display, code: &'static str, reason: impl Into<String>) -> Self {
        ServiceError { place: place.to_string(), code, reason: reason.into() }
    }

    /// The service answered what no service of this kind answers.
    pub(super) fn malformed(place: &Locator) -> Self {
        ServiceError::new(place, "malformed", "the answer cannot be read: run the same version everywhere")
    }

    /// The service said no.
    pub(super) fn refused(place: &Locator, why: &str) -> Self {
        ServiceError::new(place, "refused", why)
    }
}

/// What a running service tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvent {
    /// The kind of service.
    pub service: &'static str,
    /// Where it listens.
    pub addr: Locator,
    /// What happened.
    pub news: News,
}

/// What happened at a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It serves from now on.
    Ready,
    /// It knows a peer, or knows it at another address than before.
    Registered {
        /// Who.
        peer: PeerId,
        /// Where it can be reached.
        at: Vec<Locator>,
    },
    /// It no longer knows a peer.
    Removed {
        /// Who.
        peer: PeerId,
        /// Why.
        reason: &'static str,
    },
}

/// A service that a discovery needs somebody to run.
#[async_trait]
pub trait Service: Send + Sync {
    /// The kind of service, as in its events.
    fn kind(&self) -> &'static str;

    /// Its own name among the group's services; also that of its folder.
    fn name(&self) -> String;

    /// Where the profile says that it is.
    fn at(&self) -> &Locator;

    /// Listens at `at` and serves until it is stopped. State is read from `store` and kept there. What nobody takes
    /// from `told` in time is left out.
    ///
    /// # Errors
    /// When it cannot listen there, or its state cannot be read.
    async fn serve(
        &self,
        at: &Locator,
        access: Access,
        store: Arc<dyn Store>,
        told: mpsc::Sender<ServiceEvent>,
    ) -> Result<Running, ServiceError>;
}
