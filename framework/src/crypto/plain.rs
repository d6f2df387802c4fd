//! `plain`: links that anyone on the way can read. For looking at the wire and for measuring, not for use.
//!
//! It follows the messages of [`noise`](super::noise) without hiding anything. Both sides prove the group's secret
//! by a keyed hash (BLAKE3) over all that was said, both sides' nonces included, and each signs that transcript as
//! the peer that it claims to be. Records bear a keyed hash under a key of the session: who does not hold the group's
//! secret can read, cut and delay, but not alter, replay or invent. A member could; against members only
//! `noise` protects.
//!
//! ```text
//!  I → R   hello    suite, version; epoch, nonce; hash
//!  I ← R   reply    nonce; claim of R; hash
//!  I → R   finish   claim of I; hash
//!  I ← R   accept   hash
//! ```
//!
//! As with `noise`, a stranger gets a refusal for an answer and sees nobody's id, unless it listens on the way.

use std::sync::Arc;

use blake3::Hasher;
use serde::{Deserialize, Serialize};

use super::claim::{self, CLAIM, Claim};
use super::random;
use super::seal::Mac;
use super::wire::{self, ACCEPT, FINISH, REPLY, SUITE_PLAIN};
use crate::link::{
    Crypto, CryptoCheck, Handshake, HandshakeError, HandshakeParams, Refusal, Role, Session, Step,
};

/// The name of this suite in profiles.
pub const KIND: &str = "plain";

const NONCE: usize = 32;
const HASH: usize = 32;

/// Options of this suite: none yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// The suite.
#[must_use]
pub fn build(_config: &Config) -> Arc<dyn Crypto> {
    Arc::new(Plain)
}

struct Plain;

impl Crypto for Plain {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn check(&self, profile: &CryptoCheck) -> Result<(), String> {
        if profile.allow_plaintext {
            return Ok(());
        }
        Err("crypto.kind = \"plain\" lets anyone on the way read along: set crypto.allow_plaintext = true, or use \"noise\"".into())
    }

    fn handshake(&self, role: Role, params: &HandshakeParams) -> Result<Box<dyn Handshake>, HandshakeError> {
        let next = match role {
            Role::Initiator => Next::Reply,
            Role::Responder => Next::Hello,
        };
        let transcript = Hasher::new_keyed(params.group.plain_key());
        Ok(Box::new(PlainHandshake { params: params.clone(), transcript, next }))
    }
}

struct PlainHandshake {
    params: HandshakeParams,
    /// Keyed with the group's key; has taken in every message so far.
    transcript: Hasher,
    next: Next,
}

/// What the handshake waits for.
enum Next {
    Hello,
    Reply,
    Finish,
    Accept(Claim),
    Nothing,
}

impl Handshake for PlainHandshake {
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        if matches!(self.next, Next::Reply) {
            let nonce = nonce().map_err(|error| wire::refusal(error, out))?;
            out.extend(wire::hello(SUITE_PLAIN));
            out.extend(self.params.epoch.to_le_bytes());
            out.extend(nonce);
            self.close(out);
        }
        Ok(())
    }

    fn read(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        let step = match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Hello => self.hello(message, out),
            Next::Reply => self.reply(message, out),
            Next::Finish => self.finish(message, out),
            Next::Accept(claim) => self.accept(message, &claim),
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

impl PlainHandshake {
    fn hello(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        wire::expect_hello(SUITE_PLAIN, message)?;
        let body = self.checked(message, Refusal::WrongSecret)?;
        let epoch = match body.get(4..).and_then(<[u8]>::split_first_chunk) {
            Some((epoch, nonce)) if nonce.len() == NONCE => u64::from_le_bytes(*epoch),
            _ => return Err(HandshakeError::ours(Refusal::Malformed)),
        };
        (self.params.admit)(None, epoch).map_err(HandshakeError::ours)?;
        let nonce = nonce()?;
        out.push(REPLY);
        out.extend(nonce);
        let binding = self.binding(&nonce);
        out.extend(claim::make(&self.params, Role::Responder, &binding));
        self.close(out);
        self.next = Next::Finish;
        Ok(Step::Wait)
    }

    fn reply(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        let rest = wire::expect(REPLY, message)?;
        let nonce: &[u8; NONCE] = rest.first_chunk().ok_or(HandshakeError::ours(Refusal::Malformed))?;
        let binding = self.binding(nonce);
        let body = self.checked(message, Refusal::Malformed)?;
        let claimed = body.get(1 + NONCE..).unwrap_or_default();
        let judged = claim::judge(claimed, &self.params, Role::Responder, &binding);
        if let Err(error) = &judged
            && error.twin.is_none()
        {
            return Err(*error);
        }
        out.push(FINISH);
        let binding = self.binding(&[]);
        out.extend(claim::make(&self.params, Role::Initiator, &binding));
        self.close(out);
        self.next = Next::Accept(judged?);
        Ok(Step::Wait)
    }

    fn finish(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        wire::expect(FINISH, message)?;
        let binding = self.binding(&[]);
        let body = self.checked(message, Refusal::Malformed)?;
        let claimed = body.get(1..).unwrap_or_default();
        let claim = claim::judge(claimed, &self.params, Role::Initiator, &binding)?;
        let session = self.session(&claim, Role::Responder);
        out.push(ACCEPT);
        self.close(out);
        Ok(Step::Done(session))
    }

    fn accept(&mut self, message: &[u8], claim: &Claim) -> Result<Step, HandshakeError> {
        wire::expect(ACCEPT, message)?;
        let session = self.session(claim, Role::Initiator);
        match self.checked(message, Refusal::Malformed)? {
            [ACCEPT] => Ok(Step::Done(session)),
            _ => Err(HandshakeError::ours(Refusal::Malformed)),
        }
    }

    /// Takes our message into the transcript and ends it with the hash of all so far.
    fn close(&mut self, out: &mut Vec<u8>) {
        self.transcript.update(&(out.len() as u64).to_le_bytes()).update(out);
        out.extend(self.transcript.finalize().as_bytes());
    }

    /// Takes a message of the other side into the transcript; yields it without its hash, which must hold.
    fn checked<'m>(&mut self, message: &'m [u8], or: Refusal) -> Result<&'m [u8], HandshakeError> {
        let (body, hash) = message.split_last_chunk::<HASH>().ok_or(HandshakeError::ours(or))?;
        self.transcript.update(&(body.len() as u64).to_le_bytes()).update(body);
        // The comparison of these hashes takes the same time for any bytes.
        if self.transcript.finalize() == *hash { Ok(body) } else { Err(HandshakeError::ours(or)) }
    }

    /// What a claim is signed together with: the transcript so far and what comes before the claim.
    fn binding(&self, before: &[u8]) -> [u8; 32] {
        *self.transcript.clone().update(b"claim").update(before).finalize().as_bytes()
    }

    /// Keys that follow from all messages before the last one, one per direction.
    fn session(&self, claim: &Claim, role: Role) -> Session {
        let key = |label: &[u8]| *self.transcript.clone().update(label).finalize().as_bytes();
        let (forth, back) = (Mac(key(b"records forth")), Mac(key(b"records back")));
        let (sealer, opener) = match role {
            Role::Initiator => (forth, back),
            Role::Responder => (back, forth),
        };
        Session {
            peer: claim.peer,
            incarnation: claim.incarnation,
            epoch: claim.epoch,
            transport_key: key(b"transport"),
            sealer: Box::new(sealer),
            opener: Box::new(opener),
        }
    }
}

fn nonce() -> Result<[u8; NONCE], HandshakeError> {
    random().map_err(|_| HandshakeError::ours(Refusal::Internal))
}

const _: () = assert!(CLAIM + NONCE + HASH < crate::link::HANDSHAKE_MAX);
