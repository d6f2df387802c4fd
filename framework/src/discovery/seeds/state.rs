//! What a seed knows, as a pure state machine: the time is told, randomness is seeded.

use core::time::Duration;
use std::collections::BTreeMap;

use tertulia_core::id::PeerId;
use tertulia_core::rng::NodeRng;
use tertulia_core::time::Instant;
use tertulia_core::wire::{Reader, WireError, Writer};

use super::messages::LIST_MAX;
use crate::discovery::service::lease::Lease;
use crate::discovery::service::wire::{ADDRS_MAX, Entry, read_addrs, write_addrs};
use crate::discovery::service::{News, server};
use crate::link::Locator;

/// Peers that a seed knows at most, and of those from one machine. What is kept stays within an item of the store.
const PEERS_MAX: usize = 2048;
const SOURCE_MAX: usize = 512;
/// Bytes of a source at most.
const SOURCE_LEN: usize = 64;
/// A peer that has just answered is not asked again before.
const RECHECK: Duration = Duration::from_secs(5);
/// Peers that are asked at the same time whether they live.
const CHECKS_MAX: usize = 32;
/// Bytes of what is kept, addresses apart.
const KEPT_MAX: usize = 900 * 1024;

const VERSION: u8 = 2;

/// A change of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A peer is new, or is elsewhere.
    Registered(PeerId, Vec<Locator>),
    /// A peer is gone, and why.
    Removed(PeerId, &'static str),
}

impl From<Change> for News {
    fn from(change: Change) -> News {
        match change {
            Change::Registered(peer, at) => News::Registered { peer, at },
            Change::Removed(peer, reason) => News::Removed { peer, reason },
        }
    }
}

/// A peer of the list.
#[derive(Clone, Debug)]
struct Known {
    addrs: Vec<Locator>,
    source: String,
    /// Forgotten then, unless it says before that it is still here.
    until: Instant,
    /// It is being asked whether it lives.
    checking: bool,
    /// It is not asked again before.
    recheck: Instant,
    /// Somebody said since it was last asked that it does not answer.
    reported: bool,
}

impl Known {
    /// It is to be asked at these addresses.
    fn ask(&mut self) -> Vec<Locator> {
        (self.checking, self.reported) = (true, false);
        self.addrs.clone()
    }
}

/// What a seed knows.
#[derive(Debug)]
pub(super) struct State {
    expire: Duration,
    rng: NodeRng,
    known: BTreeMap<PeerId, Known>,
    pub(super) lease: Lease,
    /// To be told.
    changes: Vec<Change>,
    /// What is kept is no longer what is known.
    dirty: bool,
}

impl State {
    /// Nobody yet. Who says nothing for `expire` is forgotten.
    pub(super) fn new(expire: Duration, seed: u64) -> Self {
        let (known, changes) = (BTreeMap::new(), Vec::new());
        State { expire, rng: NodeRng::new(seed), known, lease: Lease::default(), changes, dirty: false }
    }

    /// A peer says that it is here, or still here. One entry for each key, so many for each source.
    pub(super) fn register(
        &mut self,
        now: Instant,
        who: PeerId,
        source: &str,
        addrs: &[Locator],
    ) -> Result<(), &'static str> {
        if addrs.is_empty() || addrs.len() > ADDRS_MAX {
            return Err("no address to reach this peer at, or too many");
        }
        let source = &source[..source.floor_char_boundary(SOURCE_LEN)];
        let before = self.known.get(&who);
        if before.is_none_or(|k| k.source != source)
            && self.known.values().filter(|k| k.source == source).count() >= SOURCE_MAX
        {
            return Err("this seed knows as many peers of this machine as it takes");
        }
        if before.is_none() && self.known.len() >= PEERS_MAX {
            return Err("this seed knows as many peers as it takes");
        }
        self.lease.release(&who);
        let until = now + self.expire;
        match self.known.get_mut(&who) {
            Some(known) if known.addrs == addrs => {
                known.until = until;
                self.dirty |= known.source != source;
                source.clone_into(&mut known.source);
            }
            _ => {
                // Whatever was asked of it at another address says nothing any more.
                let source = source.to_owned();
                let addrs = addrs.to_vec();
                self.changes.push(Change::Registered(who, addrs.clone()));
                self.known.insert(
                    who,
                    Known { addrs, source, until, checking: false, recheck: now, reported: false },
                );
                self.dirty = true;
            }
        }
        Ok(())
    }

    /// The peers that are known, without `except`; of many, some at random.
    pub(super) fn list(&mut self, except: &PeerId) -> Vec<Entry> {
        let others = self.known.iter().filter(|(peer, _)| *peer != except);
        let mut all: Vec<Entry> =
            others.map(|(peer, known)| Entry { peer: *peer, addrs: known.addrs.clone() }).collect();
        self.rng.shuffle(&mut all);
        all.truncate(LIST_MAX);
        all
    }

    /// A peer leaves.
    pub(super) fn leave(&mut self, who: &PeerId) {
        self.remove(who, "it left");
    }

    /// Somebody says that `about` does not answer. Nobody is taken off the list for that: where to ask it comes back, and
    /// [`checked`](State::checked) is to be told whether it answers. One that cannot be asked now is asked at a later
    /// [`tick`](State::tick): it may have answered last just before it died, and nobody says it twice.
    pub(super) fn report(&mut self, now: Instant, about: &PeerId) -> Option<Vec<Locator>> {
        let room = self.room();
        let known = self.known.get_mut(about)?;
        known.reported = true;
        (room > 0 && !known.checking && known.recheck <= now).then(|| known.ask())
    }

    /// How many more may be asked.
    fn room(&self) -> usize {
        CHECKS_MAX.saturating_sub(self.known.values().filter(|k| k.checking).count())
    }

    /// What came of asking `about` at these addresses.
    pub(super) fn checked(&mut self, now: Instant, about: &PeerId, at: &[Locator], answers: bool) {
        let Some(known) = self.known.get_mut(about).filter(|k| k.checking && k.addrs == at) else { return };
        known.checking = false;
        known.recheck = now + RECHECK;
        if !answers {
            self.remove(about, "reported dead, and it does not answer");
        }
    }

    /// Forgets who has said nothing for too long. Returns who is to be asked now whether it lives, and where.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<(PeerId, Vec<Locator>)> {
        let silent: Vec<PeerId> =
            self.known.iter().filter(|(_, k)| k.until <= now).map(|(peer, _)| *peer).collect();
        silent.iter().for_each(|peer| self.remove(peer, "no updates"));
        let room = self.room();
        let due = self.known.iter_mut().filter(|(_, k)| k.reported && !k.checking && k.recheck <= now);
        due.take(room).map(|(peer, known)| (*peer, known.ask())).collect()
    }

    fn remove(&mut self, who: &PeerId, why: &'static str) {
        if self.known.remove(who).is_some() {
            self.changes.push(Change::Removed(*who, why));
            self.dirty = true;
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION);
        self.lease.write(&mut w);
        for (peer, known) in &self.known {
            if w.len() > KEPT_MAX {
                // Who is left out says at its next update that it is here.
                break;
            }
            w.raw(&peer.0).text(&known.source);
            write_addrs(&mut w, &known.addrs);
        }
        w.finish().to_vec()
    }
}

impl server::State for State {
    type Change = Change;

    /// Takes over what was kept. Everybody has the usual time to say that it is still here.
    fn restore(&mut self, now: Instant, bytes: &[u8]) -> Result<(), WireError> {
        let mut r = Reader::new(bytes);
        if r.u8()? != VERSION {
            return Err(WireError::Range("version"));
        }
        let lease = Lease::read(&mut r, now)?;
        let mut kept = BTreeMap::new();
        while !r.left().is_empty() && kept.len() < PEERS_MAX {
            let peer = r.peer_id()?;
            let source = r.text("source", SOURCE_LEN)?.to_owned();
            let addrs = read_addrs(&mut r)?;
            let until = now + self.expire;
            kept.insert(peer, Known { addrs, source, until, checking: false, recheck: now, reported: false });
        }
        (self.known, self.lease) = (kept, lease);
        Ok(())
    }

    /// What changed since this was last asked.
    fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// What is to be kept, when it has changed since this was last asked.
    fn changed(&mut self) -> Option<Vec<u8>> {
        let lease = self.lease.changed();
        (std::mem::take(&mut self.dirty) | lease).then(|| self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::server::State as _;
    use super::*;

    const EXPIRE: Duration = Duration::from_secs(40);

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn peer(n: u16) -> PeerId {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&n.to_be_bytes());
        PeerId(id)
    }

    fn addr(n: u16) -> Vec<Locator> {
        vec![format!("tcp://10.0.0.1:{n}").parse().unwrap()]
    }

    fn seed() -> State {
        State::new(EXPIRE, 1)
    }

    fn peers(state: &mut State) -> Vec<PeerId> {
        let mut all: Vec<_> = state.list(&peer(9999)).into_iter().map(|e| e.peer).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn who_registers_is_listed_until_it_is_silent() {
        let mut seed = seed();
        seed.register(at(0), peer(1), "a", &addr(1)).unwrap();
        seed.register(at(10), peer(2), "a", &addr(2)).unwrap();
        assert_eq!(seed.list(&peer(1)), [Entry { peer: peer(2), addrs: addr(2) }], "oneself is left out");
        assert_eq!(seed.changes().len(), 2);
        seed.register(at(39), peer(1), "a", &addr(1)).unwrap();
        assert!(seed.changes().is_empty(), "an update is no news");
        seed.tick(at(49));
        assert_eq!(peers(&mut seed), [peer(1), peer(2)]);
        seed.tick(at(50));
        assert_eq!(peers(&mut seed), [peer(1)]);
        assert_eq!(seed.changes(), [Change::Removed(peer(2), "no updates")]);
        seed.leave(&peer(1));
        assert_eq!(seed.changes(), [Change::Removed(peer(1), "it left")]);
        assert!(seed.register(at(60), peer(1), "a", &[]).is_err());
    }

    #[test]
    fn a_report_removes_nobody_who_answers() {
        let mut seed = seed();
        seed.register(at(0), peer(1), "a", &addr(1)).unwrap();
        assert_eq!(seed.report(at(1), &peer(7)), None, "nobody knows it");
        assert_eq!(seed.report(at(1), &peer(1)), Some(addr(1)));
        assert_eq!(seed.report(at(1), &peer(1)), None, "it is being asked already");
        seed.checked(at(2), &peer(1), &addr(1), true);
        assert_eq!(peers(&mut seed), [peer(1)]);
        assert_eq!(seed.report(at(6), &peer(1)), None, "it has just answered");
        assert_eq!(seed.report(at(7), &peer(1)), Some(addr(1)));
        seed.checked(at(9), &peer(1), &addr(1), false);
        assert!(peers(&mut seed).is_empty());
        let gone = Change::Removed(peer(1), "reported dead, and it does not answer");
        assert_eq!(seed.changes().last(), Some(&gone));
    }

    #[test]
    fn who_dies_just_after_it_answered_is_asked_again() {
        let mut seed = seed();
        seed.register(at(0), peer(1), "a", &addr(1)).unwrap();
        seed.report(at(1), &peer(1)).unwrap();
        assert_eq!(seed.report(at(1), &peer(1)), None, "while it is being asked");
        seed.checked(at(2), &peer(1), &addr(1), true);
        assert!(seed.tick(at(6)).is_empty());
        assert_eq!(seed.tick(at(7)), [(peer(1), addr(1))]);
        assert!(seed.tick(at(7)).is_empty());
        seed.checked(at(8), &peer(1), &addr(1), true);
        assert_eq!(seed.report(at(9), &peer(1)), None, "it has just answered");
        assert!(seed.tick(at(12)).is_empty());
        assert_eq!(seed.tick(at(13)), [(peer(1), addr(1))]);
        seed.checked(at(14), &peer(1), &addr(1), false);
        assert!(peers(&mut seed).is_empty());
    }

    #[test]
    fn who_came_back_elsewhere_is_not_judged_by_its_old_address() {
        let mut seed = seed();
        seed.register(at(0), peer(1), "a", &addr(1)).unwrap();
        seed.report(at(1), &peer(1)).unwrap();
        seed.register(at(2), peer(1), "a", &addr(2)).unwrap();
        seed.checked(at(3), &peer(1), &addr(1), false);
        assert_eq!(peers(&mut seed), [peer(1)]);
    }

    #[test]
    fn who_registered_has_founded() {
        let mut seed = seed();
        assert!(seed.lease.take(at(0), peer(1)) && !seed.lease.take(at(0), peer(2)));
        seed.register(at(1), peer(1), "a", &addr(1)).unwrap();
        assert!(seed.lease.take(at(1), peer(2)));
    }

    #[test]
    fn what_is_known_is_bounded_altogether_and_for_each_source() {
        let mut seed = seed();
        for n in 0..SOURCE_MAX as u16 {
            seed.register(at(0), peer(n), "a", &addr(n)).unwrap();
        }
        assert!(seed.register(at(0), peer(5000), "a", &addr(1)).unwrap_err().contains("of this machine"));
        seed.register(at(0), peer(0), "a", &addr(0)).unwrap();
        for n in SOURCE_MAX as u16..PEERS_MAX as u16 {
            seed.register(at(0), peer(n), &format!("s{n}"), &addr(n)).unwrap();
        }
        assert!(seed.register(at(0), peer(5000), "z", &addr(1)).is_err());
        assert_eq!(seed.list(&peer(0)).len(), LIST_MAX);
        let asked = (0..100).filter(|n| seed.report(at(1), &peer(*n)).is_some()).count();
        assert_eq!(asked, CHECKS_MAX);
        assert!(seed.tick(at(1)).is_empty());
        seed.checked(at(2), &peer(0), &addr(0), false);
        assert_eq!(seed.tick(at(2)).len(), 1, "the next one in its place");
        assert!(seed.encode().len() < crate::store::ITEM_MAX);
    }

    #[test]
    fn what_is_kept_is_restored_and_has_to_be_renewed() {
        let mut before = seed();
        assert_eq!(before.changed(), None);
        before.register(at(500), peer(1), "a", &addr(1)).unwrap();
        before.register(at(500), peer(2), "b", &addr(2)).unwrap();
        let kept = before.changed().unwrap();
        assert_eq!(before.changed(), None);
        let mut after = seed();
        after.restore(at(0), &kept).unwrap();
        assert_eq!(peers(&mut after), [peer(1), peer(2)]);
        after.register(at(1), peer(2), "b", &addr(2)).unwrap();
        after.tick(at(40));
        assert_eq!(peers(&mut after), [peer(2)]);
        for n in 0..kept.len() {
            // Cut anywhere it is refused, or holds the peers before the cut; it never panics.
            let _cut = seed().restore(at(0), &kept[..n]);
        }
        assert!(seed().restore(at(0), &[9]).is_err());
    }
}
