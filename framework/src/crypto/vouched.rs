//! Key exchange that a key manager authenticates: any suite, and behind its handshake each side proves its RSA key.
//!
//! ```text
//!      the handshake of the suite, up to a session
//!  I → R   prove    {voucher of I; I's RSA signature over this session}
//!  I ← R   prove    {voucher of R; R's RSA signature over this session}
//!  I → R   agree    {}
//! ```
//!
//! Braces are AES-256-GCM under keys that follow from the session's [`transport_key`](Session::transport_key). The
//! signatures cover a secret of the session, both peer ids and the role, so that a proof is of no use in any other one.
//! A voucher is checked with the manager's public key alone: nobody has to be asked while two members link.
//!
//! Whoever authenticates so says it by [`VOUCHED`](crate::link::VOUCHED) in its epoch, and links with nobody who does not.

use std::sync::Arc;

use parking_lot::Mutex;
use tertulia_core::id::{GroupId, PeerId};
use tertulia_core::wire::{Reader, Writer};

use super::rsa::{RSA_LEN, RsaKey, RsaPair};
use super::seal::{Aes, TAG};
use super::voucher::{Voucher, unix_ms};
use super::{derive, wire};
use crate::link::{
    Crypto, CryptoCheck, Handshake, HandshakeError, HandshakeParams, Opener, Refusal, Role, Sealer, Session,
    Step,
};

/// What a member proves its key with, and judges others by.
#[derive(Debug)]
pub struct Keyring {
    pair: RsaPair,
    manager: RsaKey,
    voucher: Mutex<Option<Voucher>>,
}

impl Keyring {
    /// Of a member whose key manager has this public key.
    #[must_use]
    pub fn new(pair: RsaPair, manager: RsaKey) -> Self {
        Keyring { pair, manager, voucher: Mutex::new(None) }
    }

    /// The member's own key.
    #[must_use]
    pub fn pair(&self) -> &RsaPair {
        &self.pair
    }

    /// The manager's public key.
    #[must_use]
    pub fn manager(&self) -> &RsaKey {
        &self.manager
    }

    /// The manager's word for the member's own key from now on; false when the one that is held counts for longer.
    pub fn hold(&self, voucher: Voucher) -> bool {
        let mut held = self.voucher.lock();
        let later = held.as_ref().is_none_or(|held| held.until_ms <= voucher.until_ms);
        if later {
            *held = Some(voucher);
        }
        later
    }

    /// The manager's word, as long as it counts.
    #[must_use]
    pub fn voucher(&self) -> Option<Voucher> {
        self.voucher.lock().clone().filter(|voucher| voucher.until_ms > unix_ms())
    }
}

/// A suite whose handshakes are authenticated by a key manager.
pub struct Vouched {
    suite: Arc<dyn Crypto>,
    keyring: Arc<Keyring>,
}

impl Vouched {
    /// Bytes of the longest message behind the suite's handshake.
    pub const MESSAGE: usize = 1 + Voucher::LEN + RSA_LEN + TAG;

    /// `suite`, and proofs of RSA keys behind its handshakes.
    #[must_use]
    pub fn new(suite: Arc<dyn Crypto>, keyring: Arc<Keyring>) -> Self {
        Vouched { suite, keyring }
    }
}

impl Crypto for Vouched {
    fn kind(&self) -> &'static str {
        self.suite.kind()
    }

    fn check(&self, profile: &CryptoCheck) -> Result<(), String> {
        self.suite.check(profile)
    }

    fn handshake(&self, role: Role, params: &HandshakeParams) -> Result<Box<dyn Handshake>, HandshakeError> {
        Ok(Box::new(VouchedHandshake {
            suite: self.suite.handshake(role, params)?,
            keyring: self.keyring.clone(),
            role,
            me: params.identity.id(),
            group: params.group.id(),
            next: Next::Suite,
        }))
    }
}

struct VouchedHandshake {
    suite: Box<dyn Handshake>,
    keyring: Arc<Keyring>,
    role: Role,
    me: PeerId,
    group: GroupId,
    next: Next,
}

/// What the handshake waits for.
enum Next {
    /// A message of the suite.
    Suite,
    Proof(Box<Session>),
    Agreement(Box<Session>),
    Nothing,
}

impl Handshake for VouchedHandshake {
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        self.suite.start(out)
    }

    fn read(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        let step = match std::mem::replace(&mut self.next, Next::Nothing) {
            // What the suite refuses it has said itself.
            Next::Suite => match self.suite.read(message, out)? {
                Step::Wait => {
                    self.next = Next::Suite;
                    Ok(Step::Wait)
                }
                Step::Done(session) => self.begin(session, out),
            },
            Next::Proof(session) => self.proof(message, *session, out),
            Next::Agreement(session) => open(wire::AGREE, message, &session, self.role)
                .and_then(|body| if body.is_empty() { Ok(Step::Done(*session)) } else { Err(malformed()) }),
            Next::Nothing => Err(HandshakeError::ours(Refusal::Internal)),
        };
        step.map_err(|error| wire::refusal(error, out))
    }
}

impl VouchedHandshake {
    /// The suite has a session: the initiator proves its key first.
    fn begin(&mut self, session: Session, out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        if self.role == Role::Initiator {
            self.prove(&session, out)?;
        }
        self.next = Next::Proof(Box::new(session));
        Ok(Step::Wait)
    }

    /// The other side's proof.
    fn proof(&mut self, message: &[u8], session: Session, out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        let body = open(wire::PROVE, message, &session, self.role)?;
        self.judge(&body, &session)?;
        if self.role == Role::Initiator {
            seal(wire::AGREE, &[], &session, self.role, out)?;
            return Ok(Step::Done(session));
        }
        self.prove(&session, out)?;
        self.next = Next::Agreement(Box::new(session));
        Ok(Step::Wait)
    }

    fn prove(&self, session: &Session, out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        let voucher = self.keyring.voucher().ok_or(HandshakeError::ours(Refusal::NoVoucher))?;
        let message = self.signed(session, self.role, (&self.me, &session.peer))?;
        let signature = self.keyring.pair.sign(&message).map_err(|_| internal())?;
        let mut w = Writer::new();
        voucher.write(&mut w);
        w.raw(&signature);
        seal(wire::PROVE, &w.finish(), session, self.role, out)
    }

    fn judge(&self, body: &[u8], session: &Session) -> Result<(), HandshakeError> {
        let mut r = Reader::new(body);
        let voucher = Voucher::read(&mut r).map_err(|_| malformed())?;
        let signature = r.array().map_err(|_| malformed())?;
        r.end().map_err(|_| malformed())?;
        let refused = |refusal| Err(HandshakeError::ours(refusal));
        if voucher.peer != session.peer || !voucher.is_by(&self.keyring.manager, &self.group) {
            return refused(Refusal::BadVoucher);
        }
        if voucher.until_ms <= unix_ms() {
            return refused(Refusal::VoucherExpired);
        }
        let message = self.signed(session, other(self.role), (&session.peer, &self.me))?;
        if voucher.key.verify(&message, &signature) { Ok(()) } else { refused(Refusal::BadVoucher) }
    }

    /// What a side signs: who it is, with whom it speaks, and in which session.
    fn signed(
        &self,
        session: &Session,
        role: Role,
        (who, with): (&PeerId, &PeerId),
    ) -> Result<Vec<u8>, HandshakeError> {
        let binding = derive(&session.transport_key, "voucher binding", &[]).map_err(|_| internal())?;
        let text = &b"tertulia rsa proof 1\0"[..];
        Ok([text, &[letter(role)], &self.group.0, &binding, &who.0, &with.0].concat())
    }
}

/// Writes a message of the side `role`.
fn seal(
    kind: u8,
    body: &[u8],
    session: &Session,
    role: Role,
    out: &mut Vec<u8>,
) -> Result<(), HandshakeError> {
    let mut sealed = [body, &[0; TAG]].concat();
    key(session, role, kind)?.seal(0, &[kind], &mut sealed).map_err(|_| internal())?;
    out.push(kind);
    out.extend(sealed);
    Ok(())
}

/// Reads a message of the other side than `role`.
fn open(kind: u8, message: &[u8], session: &Session, role: Role) -> Result<Vec<u8>, HandshakeError> {
    let mut body = wire::expect(kind, message)?.to_vec();
    let len = key(session, other(role), kind)?.open(0, &[kind], &mut body).map_err(|_| malformed())?;
    body.truncate(len);
    Ok(body)
}

/// The key of one message: each is sealed with its own.
fn key(session: &Session, role: Role, kind: u8) -> Result<Aes, HandshakeError> {
    let key = derive(&session.transport_key, "voucher seal", &[letter(role), kind]);
    Aes::new(&key.map_err(|_| internal())?).ok_or(internal())
}

fn other(role: Role) -> Role {
    match role {
        Role::Initiator => Role::Responder,
        Role::Responder => Role::Initiator,
    }
}

fn letter(role: Role) -> u8 {
    match role {
        Role::Initiator => b'I',
        Role::Responder => b'R',
    }
}

fn malformed() -> HandshakeError {
    HandshakeError::ours(Refusal::Malformed)
}

fn internal() -> HandshakeError {
    HandshakeError::ours(Refusal::Internal)
}

#[cfg(test)]
#[cfg(feature = "rsa")]
mod tests;
