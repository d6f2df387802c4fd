//! Two members and the wire between them.

use std::sync::Arc;

use tertulia::crypto::{GroupKey, GroupSecret, Identity};
use tertulia::link::{
    Crypto, Handshake, HandshakeError, HandshakeParams, Refusal, Role, Session, Side, Step, admit_epoch,
};
use tertulia_core::id::Incarnation;

use crate::conformance::report::ensure;

/// The plug-in under test and two members of one group.
pub(super) struct Bench {
    pub(super) crypto: Arc<dyn Crypto>,
    pub(super) alice: HandshakeParams,
    pub(super) bob: HandshakeParams,
    pub(super) seed: u64,
}

/// What became of a handshake.
pub(super) struct Outcome {
    pub(super) initiator: Ended,
    pub(super) responder: Ended,
    /// Who sent what.
    pub(super) wire: Vec<(Role, Vec<u8>)>,
}

/// What became of one side: `None` when it still waits.
pub(super) type Ended = Option<Result<Session, HandshakeError>>;

/// The parameters of a member of the group `name`.
pub(super) fn member(seed: u8, name: &str, secret: u8, epoch: u64) -> Result<HandshakeParams, String> {
    let identity = Identity::from_seed([seed; 32]).map_err(|e| e.to_string())?;
    let group = GroupKey::new(name, &GroupSecret::from_bytes([secret; 32])).map_err(|e| e.to_string())?;
    Ok(HandshakeParams {
        identity: Arc::new(identity),
        group: Arc::new(group),
        incarnation: Incarnation(u64::from(seed) * 1000),
        epoch,
        admit: admit_epoch(epoch),
    })
}

impl Bench {
    pub(super) fn new(crypto: Arc<dyn Crypto>, seed: u64) -> Result<Self, String> {
        Ok(Bench { crypto, alice: member(1, "group", 7, 3)?, bob: member(2, "group", 7, 3)?, seed })
    }

    pub(super) fn side(&self, role: Role, params: &HandshakeParams) -> Result<Box<dyn Handshake>, String> {
        self.crypto.handshake(role, params).map_err(|e| format!("no handshake can be begun: {e}"))
    }

    /// Runs a handshake; `meddle` may change each message, numbered from 0, on its way.
    pub(super) fn run(
        &self,
        from: &HandshakeParams,
        to: &HandshakeParams,
        mut meddle: impl FnMut(usize, &mut Vec<u8>),
    ) -> Result<Outcome, String> {
        let mut sides = [self.side(Role::Initiator, from)?, self.side(Role::Responder, to)?];
        let mut ended: [Ended; 2] = [None, None];
        let mut wire = Vec::new();
        let mut message = Vec::new();
        if let Err(error) = sides[0].start(&mut message) {
            ended[0] = Some(Err(error));
        }
        let mut turn = 0;
        while !message.is_empty() && wire.len() < 32 {
            let role = if turn == 0 { Role::Initiator } else { Role::Responder };
            wire.push((role, message.clone()));
            meddle(wire.len() - 1, &mut message);
            turn = 1 - turn;
            let mut answer = Vec::new();
            if ended[turn].is_none() {
                match sides[turn].read(&message, &mut answer) {
                    Ok(Step::Wait) => {}
                    Ok(Step::Done(session)) => ended[turn] = Some(Ok(session)),
                    Err(error) => ended[turn] = Some(Err(error)),
                }
            }
            message = answer;
        }
        let [initiator, responder] = ended;
        Ok(Outcome { initiator, responder, wire })
    }

    /// A handshake that must succeed: the sessions of both sides.
    pub(super) fn linked(&self) -> Result<(Session, Session, Vec<Vec<u8>>), String> {
        let outcome = self.run(&self.alice, &self.bob, |_, _| {})?;
        match (outcome.initiator, outcome.responder) {
            (Some(Ok(a)), Some(Ok(b))) => Ok((a, b, outcome.wire.into_iter().map(|(_, m)| m).collect())),
            (a, b) => Err(format!("the handshake did not complete: initiator {a:?}, responder {b:?}")),
        }
    }
}

impl Outcome {
    /// Both sides report this refusal: the one in the role `by` as its own, the other as told.
    pub(super) fn refused(&self, refusal: Refusal, by: Role) -> Result<(), String> {
        let (us, them) = match by {
            Role::Initiator => (&self.initiator, &self.responder),
            Role::Responder => (&self.responder, &self.initiator),
        };
        for (ended, side) in [(us, Side::Us), (them, Side::Them)] {
            let good = matches!(ended, Some(Err(e)) if e.refusal == refusal && e.side == side);
            ensure(good, || format!("expected a refusal `{}` by {side:?}, got {ended:?}", refusal.code()))?;
        }
        Ok(())
    }

    /// Nobody's peer id crossed the wire in readable form in messages of `role`.
    pub(super) fn hides(&self, role: Role, params: &HandshakeParams) -> Result<(), String> {
        let id = params.identity.id().0;
        let shown = self.wire.iter().any(|(by, message)| {
            *by == role && message.windows(16).any(|w| id.windows(16).any(|part| part == w))
        });
        ensure(!shown, || format!("the {role:?} showed its peer id to a stranger"))
    }
}
