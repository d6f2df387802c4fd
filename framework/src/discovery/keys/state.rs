//! What the key manager knows, as a pure state machine: the time is told, since 1970.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use tertulia_core::id::{GroupId, PeerId};
use tertulia_core::time::Instant;
use tertulia_core::wire::{Reader, WireError, Writer};

use super::messages::{Problem, proof};
use crate::crypto::Voucher;
use crate::crypto::rsa::{RsaKey, RsaPair, RsaSignature};
use crate::discovery::service::{News, server};

/// Keys known at most, and of those from one machine. What is kept stays within an item of the store.
const KEYS_MAX: usize = 1024;
const SOURCE_MAX: usize = 512;
/// Bytes of a source at most.
const SOURCE_LEN: usize = 64;

const VERSION: u8 = 1;

/// A change of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A member's key is known.
    Registered(PeerId),
    /// It is known no longer, and why.
    Removed(PeerId, &'static str),
}

impl From<Change> for News {
    fn from(change: Change) -> News {
        match change {
            Change::Registered(peer) => News::Registered { peer, at: Vec::new() },
            Change::Removed(peer, reason) => News::Removed { peer, reason },
        }
    }
}

/// A member's key.
#[derive(Clone, Debug)]
struct Known {
    voucher: Voucher,
    source: String,
}

/// What the key manager knows.
#[derive(Debug)]
pub(super) struct State {
    manager: Arc<RsaPair>,
    group: GroupId,
    expire: Duration,
    known: BTreeMap<PeerId, Known>,
    changes: Vec<Change>,
    dirty: bool,
}

impl State {
    /// No keys yet. `manager` vouches for each for so long.
    pub(super) fn new(manager: Arc<RsaPair>, group: GroupId, expire: Duration) -> Self {
        let (known, changes) = (BTreeMap::new(), Vec::new());
        State { manager, group, expire, known, changes, dirty: false }
    }

    /// What answers are signed with.
    pub(super) fn manager(&self) -> Arc<RsaPair> {
        self.manager.clone()
    }

    /// A member says which key is its own, and proves that it holds it. `None` when it could not be signed.
    pub(super) fn register(
        &mut self,
        now: Instant,
        (who, source): (PeerId, &str),
        key: RsaKey,
        proven: &RsaSignature,
    ) -> Option<Result<Voucher, Problem>> {
        let source = &source[..source.floor_char_boundary(SOURCE_LEN)];
        if let Err(problem) = self.judge(now, (who, source), &key, proven) {
            return Some(Err(problem));
        }
        let until = (now + self.expire).since(Instant::ZERO).as_millis();
        let until = u64::try_from(until).unwrap_or(u64::MAX);
        let voucher = Voucher::sign(&self.manager, &self.group, (who, key), until).ok()?;
        let known = Known { voucher: voucher.clone(), source: source.to_owned() };
        if self.known.insert(who, known).is_none_or(|before| before.voucher.key != key) {
            self.changes.push(Change::Registered(who));
        }
        self.dirty = true;
        Some(Ok(voucher))
    }

    fn judge(
        &self,
        now: Instant,
        (who, source): (PeerId, &str),
        key: &RsaKey,
        proven: &RsaSignature,
    ) -> Result<(), Problem> {
        if !key.verify(&proof(&self.group, &who), proven) {
            return Err(Problem::BadProof);
        }
        let before = self.known.get(&who);
        if before.is_some_and(|k| k.voucher.key != *key && counts(&k.voucher, now)) {
            return Err(Problem::OtherKey);
        }
        if self.known.values().any(|k| k.voucher.key == *key && k.voucher.peer != who) {
            return Err(Problem::KeyTaken);
        }
        let from_there = || self.known.values().filter(|k| k.source == source).count();
        let full = (before.is_none() && self.known.len() >= KEYS_MAX)
            || (before.is_none_or(|k| k.source != source) && from_there() >= SOURCE_MAX);
        if full { Err(Problem::Full) } else { Ok(()) }
    }

    /// A member's key.
    pub(super) fn look_up(&self, now: Instant, who: &PeerId) -> Result<Voucher, Problem> {
        let known = self.known.get(who).map(|k| &k.voucher).filter(|voucher| counts(voucher, now));
        known.cloned().ok_or(Problem::UnknownPeer)
    }

    /// Forgets keys that are vouched for no longer.
    pub(super) fn tick(&mut self, now: Instant) {
        let changes = &mut self.changes;
        let before = self.known.len();
        self.known.retain(|peer, known| {
            let counts = counts(&known.voucher, now);
            if !counts {
                changes.push(Change::Removed(*peer, "expired"));
            }
            counts
        });
        self.dirty |= self.known.len() < before;
    }

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION);
        for known in self.known.values() {
            known.voucher.write(&mut w);
            w.text(&known.source);
        }
        w.finish().to_vec()
    }
}

/// True while the voucher counts.
fn counts(voucher: &Voucher, now: Instant) -> bool {
    Instant::from_millis(voucher.until_ms) > now
}

impl server::State for State {
    type Change = Change;

    /// Takes over what was kept, as far as this manager signed it.
    fn restore(&mut self, now: Instant, bytes: &[u8]) -> Result<(), WireError> {
        let mut r = Reader::new(bytes);
        if r.u8()? != VERSION {
            return Err(WireError::Range("version"));
        }
        let mut kept = BTreeMap::new();
        while !r.left().is_empty() && kept.len() < KEYS_MAX {
            let voucher = Voucher::read(&mut r)?;
            let source = r.text("source", SOURCE_LEN)?.to_owned();
            if counts(&voucher, now) && voucher.is_by(&self.manager.public(), &self.group) {
                kept.insert(voucher.peer, Known { voucher, source });
            }
        }
        self.known = kept;
        Ok(())
    }

    fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// What is to be kept, when it has changed since this was last asked.
    fn changed(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.dirty).then(|| self.encode())
    }
}

#[cfg(test)]
#[cfg(feature = "rsa")]
mod tests;
