//! `noise`: links that are secret, authenticated and closed to strangers.
//!
//! **Handshake.** `Noise_XXpsk0_25519_AESGCM_SHA256` (Noise revision 34) with the group's key as pre-shared key.
//! The key is mixed in before the first payload, so whoever does not hold the group's secret gets a refusal for an
//! answer and learns nobody's identity. Static keys cross encrypted, each with the claim
//! of the peer that owns it: epoch, incarnation, peer id and the peer's Ed25519 signature over the static key.
//!
//! ```text
//!  I → R   hello    suite, version in the clear; e, psk; {epoch}
//!  I ← R   reply    e, ee, s, es; {claim of R}
//!  I → R   finish   s, se; {claim of I}
//!  I ← R   accept   an empty record, number 0
//! ```
//!
//! The last message tells the initiator that it was admitted, and that the keys agree, before it uses the link.
//!
//! **Records.** After the handshake the two keys of Noise's `Split()` seal records with ring's AES-256-GCM, each
//! direction with its own key and the nonces that Noise prescribes. Noise's own transport messages would do the
//! same from one buffer into another and end at 65,535 bytes. Sealing in place saves a copy of every byte on both
//! sides and lets a whole parcel stand in one record. That limit of Noise is a matter of its length field, not of
//! the cipher: AES-GCM takes 64 GiB per nonce. A session ends after 2⁴⁸ records.
//!
//! **What it does not do.** Members hold the same pre-shared key: it keeps strangers out, not members apart. A
//! member is recognised by its static key and signature alone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use snow::HandshakeState;
use tertulia_core::wire::Reader;

use super::claim::{self, CLAIM, Claim};
use super::seal::{Aes, TAG};
use super::wire::{self, ACCEPT, FINISH, REPLY, SUITE_NOISE};
use super::{derive, dh};
use crate::link::{
    Crypto, CryptoCheck, Handshake, HandshakeError, HandshakeParams, Opener, PROTOCOL, Refusal, Role, Sealer,
    Session, Step,
};

/// The name of this suite in profiles.
pub const KIND: &str = "noise";

const PATTERN: &str = "Noise_XXpsk0_25519_AESGCM_SHA256";
/// Enough for the keys, tags and claim of any message.
const ROOM: usize = 2 * 32 + 2 * TAG + CLAIM + TAG;

/// Options of this suite: none yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// The suite.
#[must_use]
pub fn build(_config: &Config) -> Arc<dyn Crypto> {
    Arc::new(Noise)
}

struct Noise;

impl Crypto for Noise {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn check(&self, _profile: &CryptoCheck) -> Result<(), String> {
        Ok(())
    }

    fn handshake(&self, role: Role, params: &HandshakeParams) -> Result<Box<dyn Handshake>, HandshakeError> {
        let prologue = prologue();
        let builder = PATTERN
            .parse()
            .map(dh::builder)
            .and_then(|b| b.prologue(&prologue))
            .and_then(|b| b.psk(0, params.group.psk()))
            .and_then(|b| b.local_private_key(&params.identity.link_key().secret));
        let state = builder.and_then(|b| match role {
            Role::Initiator => b.build_initiator(),
            Role::Responder => b.build_responder(),
        });
        let state = state.map_err(|_| HandshakeError::ours(Refusal::Internal))?;
        let next = match role {
            Role::Initiator => Next::Reply,
            Role::Responder => Next::Hello,
        };
        Ok(Box::new(NoiseHandshake { params: params.clone(), state, next }))
    }
}

fn prologue() -> [u8; 14] {
    let mut prologue = *b"tertulia link.";
    prologue[12..].copy_from_slice(&PROTOCOL.to_le_bytes());
    prologue
}

struct NoiseHandshake {
    params: HandshakeParams,
    state: HandshakeState,
    next: Next,
}

/// What the handshake waits for.
enum Next {
    Hello,
    Reply,
    Finish,
    Accept(Box<Session>),
    Nothing,
}

impl Handshake for NoiseHandshake {
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        if matches!(self.next, Next::Reply) {
            out.extend(wire::hello(SUITE_NOISE));
            let epoch = self.params.epoch.to_le_bytes();
            self.write(&epoch, out).map_err(|error| wire::refusal(error, out))?;
        }
        Ok(())
    }

    fn read(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        let next = std::mem::replace(&mut self.next, Next::Nothing);
        let step = match next {
            Next::Hello => self.hello(message, out),
            Next::Reply => self.reply(message, out),
            Next::Finish => self.finish(message, out),
            Next::Accept(session) => Self::accept(message, *session),
            Next::Nothing => Err(HandshakeError::ours(Refusal::Internal)),
        };
        match step {
            // The other holder of our identity learns of us from our own claim: it goes out in place of a refusal.
            Err(error) if error.twin.is_some() && !out.is_empty() => Err(error),
            Err(error) => Err(wire::refusal(error, out)),
            step => step,
        }
    }
}

impl NoiseHandshake {
    fn hello(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        let body = wire::expect_hello(SUITE_NOISE, message)?;
        let payload = self.open(body, Refusal::WrongSecret)?;
        let mut r = Reader::new(&payload);
        let epoch = r.u64().map_err(|_| HandshakeError::ours(Refusal::Malformed))?;
        r.end().map_err(|_| HandshakeError::ours(Refusal::Malformed))?;
        (self.params.admit)(None, epoch).map_err(HandshakeError::ours)?;
        out.push(REPLY);
        let claim = self.claim(Role::Responder);
        self.write(&claim, out)?;
        self.next = Next::Finish;
        Ok(Step::Wait)
    }

    fn reply(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        let payload = self.open(wire::expect(REPLY, message)?, Refusal::Malformed)?;
        let judged = self.judge(&payload, Role::Responder);
        if let Err(error) = &judged
            && error.twin.is_none()
        {
            return Err(*error);
        }
        out.push(FINISH);
        let claim = self.claim(Role::Initiator);
        self.write(&claim, out)?;
        let session = self.session(&judged?, Role::Initiator)?;
        self.next = Next::Accept(Box::new(session));
        Ok(Step::Wait)
    }

    fn finish(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        let payload = self.open(wire::expect(FINISH, message)?, Refusal::Malformed)?;
        let claim = self.judge(&payload, Role::Initiator)?;
        let mut session = self.session(&claim, Role::Responder)?;
        let mut seal = [0; TAG];
        session.sealer.seal(0, &[ACCEPT], &mut seal).map_err(|_| HandshakeError::ours(Refusal::Internal))?;
        out.push(ACCEPT);
        out.extend(seal);
        Ok(Step::Done(session))
    }

    fn accept(message: &[u8], mut session: Session) -> Result<Step, HandshakeError> {
        let mut seal = wire::expect(ACCEPT, message)?.to_vec();
        match session.opener.open(0, &[ACCEPT], &mut seal) {
            Ok(0) => Ok(Step::Done(session)),
            _ => Err(HandshakeError::ours(Refusal::Malformed)),
        }
    }

    fn claim(&self, role: Role) -> [u8; CLAIM] {
        claim::make(&self.params, role, &self.params.identity.link_key().public)
    }

    fn judge(&self, payload: &[u8], role: Role) -> Result<Claim, HandshakeError> {
        let their_key = self.state.get_remote_static().and_then(|key| key.try_into().ok());
        let their_key = their_key.ok_or(HandshakeError::ours(Refusal::BadIdentity))?;
        claim::judge(payload, &self.params, role, their_key)
    }

    fn write(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        let mut message = [0; ROOM];
        let n = self.state.write_message(payload, &mut message);
        let n = n.map_err(|_| HandshakeError::ours(Refusal::Internal))?;
        out.extend_from_slice(message.get(..n).unwrap_or_default());
        Ok(())
    }

    fn open(&mut self, message: &[u8], or: Refusal) -> Result<Vec<u8>, HandshakeError> {
        let mut payload = vec![0; message.len()];
        let n = self.state.read_message(message, &mut payload).map_err(|_| HandshakeError::ours(or))?;
        payload.truncate(n);
        Ok(payload)
    }

    fn session(&mut self, claim: &Claim, role: Role) -> Result<Session, HandshakeError> {
        if !self.state.is_handshake_finished() {
            return Err(HandshakeError::ours(Refusal::Internal));
        }
        let (forth, back) = self.state.dangerously_get_raw_split();
        let (ours, theirs) = match role {
            Role::Initiator => (forth, back),
            Role::Responder => (back, forth),
        };
        let both = zeroize::Zeroizing::new([forth, back].concat());
        let transport_key =
            derive(&both, "link transport", &[]).map_err(|_| HandshakeError::ours(Refusal::Internal))?;
        let key = |key| Aes::new(key).ok_or(HandshakeError::ours(Refusal::Internal));
        let (sealer, opener): (Box<dyn Sealer>, Box<dyn Opener>) =
            (Box::new(key(&ours)?), Box::new(key(&theirs)?));
        let Claim { peer, incarnation, epoch, .. } = *claim;
        Ok(Session { peer, incarnation, epoch, transport_key, sealer, opener })
    }
}
