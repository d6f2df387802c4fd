//! From a raw connection to an authenticated link.

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::timeout;

use super::{
    Crypto, HANDSHAKE_MAX, HandshakeError, HandshakeParams, LinkRx, LinkTx, Locator, RawLink, Refusal, Role,
    RxBatch, Session, Side, Step, TransportError, TxBatch,
};
use crate::crypto::REFUSE;

/// A link whose handshake is done.
pub struct Link {
    /// The other side, and the keys.
    pub session: Session,
    /// The sending half.
    pub tx: Box<dyn LinkTx>,
    /// The receiving half.
    pub rx: Box<dyn LinkRx>,
    /// The other end as the transport sees it.
    pub remote: Locator,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("session", &self.session)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

/// Why a raw connection became no link.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EstablishError {
    /// One of the two sides refused.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The connection failed meanwhile.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The other side did not finish in time.
    #[error("the handshake was not done within {0:?}: check that a member listens at this address")]
    Deadline(Duration),
}

impl EstablishError {
    /// The stable text for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            EstablishError::Handshake(error) => error.code(),
            EstablishError::Transport(error) => error.code(),
            EstablishError::Deadline(_) => Refusal::Slow.code(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            EstablishError::Handshake(error) => error.hint(),
            EstablishError::Transport(error) => error.hint(),
            EstablishError::Deadline(_) => Refusal::Slow.hint(),
        }
    }
}

/// Runs one handshake over a raw connection.
///
/// Nothing longer than [`HANDSHAKE_MAX`] is read, and after `limit` the connection is dropped. When we refuse, the
/// other side is told before. Dropping the future drops the connection.
pub async fn establish(
    raw: RawLink,
    role: Role,
    crypto: &dyn Crypto,
    params: &HandshakeParams,
    limit: Duration,
) -> Result<Link, EstablishError> {
    let mut wire = Wire::new(raw);
    let result = timeout(limit, exchange(&mut wire, role, crypto, params)).await;
    match result {
        Ok(Ok(session)) => {
            let RawLink { mut tx, rx, remote } = wire.raw;
            tx.established(&session.transport_key);
            Ok(Link { session, tx, rx, remote })
        }
        Ok(Err(error)) => Err(error),
        Err(_) => {
            // Best effort: no more than what the connection takes at once.
            let _told = timeout(Duration::ZERO, wire.send(&[REFUSE, Refusal::Slow.to_byte()])).await;
            Err(EstablishError::Deadline(limit))
        }
    }
}

/// Refuses a raw connection without a handshake, waiting at most `limit` for the byte to leave.
pub async fn refuse(raw: RawLink, refusal: Refusal, limit: Duration) {
    let mut wire = Wire::new(raw);
    // The other side may be gone already: then nobody is left to tell.
    let _told = timeout(limit, async {
        wire.send(&[REFUSE, refusal.to_byte()]).await?;
        wire.close().await
    })
    .await;
}

async fn exchange(
    wire: &mut Wire,
    role: Role,
    crypto: &dyn Crypto,
    params: &HandshakeParams,
) -> Result<Session, EstablishError> {
    let mut handshake = crypto.handshake(role, params)?;
    let mut out = Vec::new();
    let mut step = handshake.start(&mut out).map(|()| Step::Wait);
    loop {
        if !out.is_empty() {
            // A broken connection must not hide why we refused.
            match wire.send(&out).await {
                Err(error) if step.is_ok() => return Err(wire.explain(error).await),
                _ => out.clear(),
            }
        }
        match step {
            Ok(Step::Wait) => {}
            Ok(Step::Done(session)) => return Ok(session),
            Err(error) => {
                if error.side == Side::Us {
                    let _closed = wire.close().await;
                }
                return Err(error.into());
            }
        }
        let message = wire.receive().await?;
        step = handshake.read(&message, &mut out);
    }
}

/// A raw connection, one message at a time.
struct Wire {
    raw: RawLink,
    tx: TxBatch,
    rx: RxBatch,
}

impl Wire {
    fn new(raw: RawLink) -> Self {
        // One message at a time: what follows the last one is left to the link's own reader.
        Wire { raw, tx: TxBatch::new(HANDSHAKE_MAX), rx: RxBatch::new(1, HANDSHAKE_MAX) }
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), TransportError> {
        self.tx.push(message);
        while !self.tx.is_empty() {
            poll_fn(|cx| self.raw.tx.poll_send(cx, &mut self.tx)).await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<bytes::BytesMut, TransportError> {
        loop {
            if let Some(message) = self.rx.pop() {
                return Ok(message);
            }
            poll_fn(|cx| self.raw.rx.poll_recv(cx, &mut self.rx)).await?;
        }
    }

    async fn close(&mut self) -> Result<(), TransportError> {
        poll_fn(|cx| self.raw.tx.poll_close(cx)).await
    }

    /// Sending failed: perhaps the other side refused and left; then its reason is worth more than ours.
    async fn explain(&mut self, error: TransportError) -> EstablishError {
        match self.receive().await.as_deref() {
            Ok(&[REFUSE, byte]) => HandshakeError::theirs(Refusal::from_byte(byte)).into(),
            _ => error.into(),
        }
    }
}
