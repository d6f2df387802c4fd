//! Bugs put in on purpose, from outside the engine: a suite that does not catch them proves nothing.

use std::sync::Arc;

use tertulia_core::auth::{Auth, Signature};
use tertulia_core::engine::Planted;
use tertulia_core::frame::{Frame, FrameKind, Lane};
use tertulia_core::id::{Digest, PeerId, SealKey};
use tertulia_core::parcel::Parcel;
use tertulia_core::rng::NodeRng;

use bytes::Bytes;

use crate::auth::SimAuth;
use crate::sim::Sim;
use crate::tap::{Tap, Way};

/// A bug, or what an attacker does to find one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// An answer to a pull leaves out its last parcel, always; put in between the engines.
    DropLastRepair,
    /// A fault of the engine itself. With the one that takes a parcel for seen before it is verified comes a
    /// neighbour that sends each parcel twice, first with a byte of it altered.
    Engine(Planted),
    /// A node that restarts keeps its incarnation.
    SameIncarnation,
    /// Every signature holds, while a neighbour alters parcels.
    BlindAuth,
    /// No bug: that neighbour alone.
    Forger,
}

impl Plant {
    /// Puts the bug into a run that has not begun.
    pub fn sow(self, sim: &mut Sim<'_>, seed: u64) {
        let rng = NodeRng::fork(seed, 9);
        match self {
            Plant::DropLastRepair => sim.set_tap(Some(Box::new(ForgetLast::default()))),
            Plant::SameIncarnation => {}
            Plant::BlindAuth => {
                sim.set_wrap(Some(Arc::new(|auth| Box::new(BlindAuth(auth)))));
                sim.set_tap(Some(Box::new(Forger { rng, share: 0.05, replace: true })));
            }
            Plant::Engine(fault) => {
                sim.set_planted(Some(fault));
                if fault == Planted::DedupeBeforeVerify {
                    sim.set_tap(Some(Box::new(Forger { rng, share: 0.05, replace: false })));
                }
            }
            Plant::Forger => sim.set_tap(Some(Box::new(Forger { rng, share: 0.05, replace: false }))),
        }
    }
}

/// An identity that takes every signature for good.
#[derive(Clone, Copy, Debug)]
pub struct BlindAuth(pub SimAuth);

impl Auth for BlindAuth {
    fn me(&self) -> PeerId {
        self.0.me()
    }
    fn seal_key(&self) -> SealKey {
        self.0.seal_key()
    }
    fn digest(&self, parts: &[&[u8]]) -> Digest {
        self.0.digest(parts)
    }
    fn sign(&self, digest: &Digest) -> Signature {
        self.0.sign(digest)
    }
    fn verify(&self, _who: &PeerId, _digest: &Digest, _signature: &Signature) -> bool {
        true
    }
    fn seal(&self, to: &SealKey, context: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        self.0.seal(to, context, plain)
    }
    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.open(context, sealed)
    }
}

/// Holds the last repair parcel of every link back and drops it at the end of the answer.
#[derive(Debug, Default)]
pub struct ForgetLast {
    held: std::collections::BTreeMap<(u32, u32), (Lane, Frame)>,
}

impl Tap for ForgetLast {
    fn pass(&mut self, way: Way, frame: Frame, out: &mut Vec<(Lane, Frame)>) {
        let key = (way.from, way.link);
        match frame.kind {
            FrameKind::Repair => out.extend(self.held.insert(key, (way.lane, frame))),
            FrameKind::PullEnd => {
                self.held.remove(&key);
                out.push((way.lane, frame));
            }
            _ => out.push((way.lane, frame)),
        }
    }
}

/// Alters a share of the parcels that are passed on: in place of the true ones, or before them. What an origin sends
/// itself is left alone: its own link vouches for it.
#[derive(Debug)]
pub struct Forger {
    /// Its dice.
    pub rng: NodeRng,
    /// Share of parcels altered.
    pub share: f64,
    /// True when the true parcel does not follow.
    pub replace: bool,
}

impl Tap for Forger {
    fn pass(&mut self, way: Way, frame: Frame, out: &mut Vec<(Lane, Frame)>) {
        let carries = matches!(frame.kind, FrameKind::Data | FrameKind::Repair);
        if carries && self.rng.chance(self.share) && passed_on(&way, &frame) {
            let last = frame.body.len().saturating_sub(65);
            out.push((way.lane, altered(&frame, last)));
            if self.replace {
                return;
            }
        }
        out.push((way.lane, frame));
    }
}

/// True when a frame carries somebody else's parcel.
fn passed_on(way: &Way, frame: &Frame) -> bool {
    Parcel::parse(frame.body.clone()).is_ok_and(|p| p.header.origin != way.from_id)
}

/// A frame with one bit of its body changed.
#[must_use]
pub fn altered(frame: &Frame, at: usize) -> Frame {
    let mut bytes = frame.body.to_vec();
    if let Some(b) = bytes.get_mut(at) {
        *b ^= 1;
    }
    Frame { body: Bytes::from(bytes), ..frame.clone() }
}
