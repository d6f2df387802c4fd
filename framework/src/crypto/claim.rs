//! How a member says who it is, and how the other side judges it.

use tertulia_core::auth::Signature;
use tertulia_core::id::{Incarnation, PeerId};
use tertulia_core::wire::Reader;

use super::Identity;
use crate::link::{HandshakeError, HandshakeParams, Refusal, Role};

/// A member's statement about itself within a handshake: epoch, incarnation, peer id, and the peer's signature
/// over what binds the statement to this handshake.
///
/// With Noise that is the static key, of which the handshake proves possession; without it, the transcript with
/// both sides' nonces.
pub(super) struct Claim {
    pub(super) epoch: u64,
    pub(super) incarnation: Incarnation,
    pub(super) peer: PeerId,
    signature: Signature,
}

/// Bytes of a claim.
pub(super) const CLAIM: usize = 8 + 8 + 32 + 64;

/// What a claim's signature covers.
fn signed(params: &HandshakeParams, role: Role, binding: &[u8; 32]) -> [u8; 80] {
    let mut message = *b"tertulia link 1\0................................................................";
    message[15] = match role {
        Role::Initiator => b'I',
        Role::Responder => b'R',
    };
    message[16..48].copy_from_slice(&params.group.id().0);
    message[48..].copy_from_slice(binding);
    message
}

/// Our claim, in the role that we have.
pub(super) fn make(params: &HandshakeParams, role: Role, binding: &[u8; 32]) -> [u8; CLAIM] {
    let mut bytes = [0; CLAIM];
    bytes[..8].copy_from_slice(&params.epoch.to_le_bytes());
    bytes[8..16].copy_from_slice(&params.incarnation.0.to_le_bytes());
    bytes[16..48].copy_from_slice(&params.identity.id().0);
    bytes[48..].copy_from_slice(&params.identity.sign(&signed(params, role, binding)));
    bytes
}

/// Reads and judges the claim of the other side, whose role is `role`.
pub(super) fn judge(
    bytes: &[u8],
    params: &HandshakeParams,
    role: Role,
    binding: &[u8; 32],
) -> Result<Claim, HandshakeError> {
    let claim = read(bytes).ok_or(HandshakeError::ours(Refusal::Malformed))?;
    if !Identity::verify(&claim.peer, &signed(params, role, binding), &claim.signature) {
        return Err(HandshakeError::ours(Refusal::BadIdentity));
    }
    if claim.peer == params.identity.id() {
        return Err(if claim.incarnation == params.incarnation {
            HandshakeError::ours(Refusal::Own)
        } else {
            HandshakeError { twin: Some(claim.incarnation), ..HandshakeError::ours(Refusal::IdentityInUse) }
        });
    }
    (params.admit)(Some(&claim.peer), claim.epoch).map_err(HandshakeError::ours)?;
    Ok(claim)
}

fn read(bytes: &[u8]) -> Option<Claim> {
    let mut r = Reader::new(bytes);
    let claim = Claim {
        epoch: r.u64().ok()?,
        incarnation: Incarnation(r.u64().ok()?),
        peer: r.peer_id().ok()?,
        signature: r.array().ok()?,
    };
    r.end().ok()?;
    Some(claim)
}
