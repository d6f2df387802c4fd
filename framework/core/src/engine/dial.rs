//! Who is dialled, and when: peers that the topology wants, addresses to join through, and every now and then one
//! remembered absent member, or an address that is nobody's here, so that halves that grew apart meet again.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::api::{DialFailure, DialId, Output};
use super::base::Base;
use super::join::UNREACHED;
use crate::id::{Peer, PeerId};
use crate::peers::{Addr, State};
use crate::time::{Instant, earliest};

/// The first pause before a peer is dialled again; doubles up to [`REDIAL_MAX`].
const REDIAL: Duration = Duration::from_millis(100);
const REDIAL_MAX: Duration = Duration::from_secs(5);
/// The pause before a contact is dialled again.
const RETRY: Duration = Duration::from_millis(700);
/// A link that stood this long forgets earlier failures.
const LASTING: Duration = Duration::from_secs(5);
/// The address book is stored at once, and then at most this often until the end.
const STORE_PAUSE: Duration = Duration::from_secs(2);

/// What a dial is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Peer(Peer),
    Contact(Addr),
    /// A try that is not repeated: an absent member, a suspect whose link was lost, or whoever is there.
    Once(Option<PeerId>),
}

/// A peer that the topology wants to be linked to.
#[derive(Clone, Debug, Default)]
struct Want {
    at: Option<Instant>,
    dialing: bool,
    tries: u32,
    /// When its link came up.
    up: Option<Instant>,
}

/// An address to join through.
#[derive(Clone, Debug)]
struct Contact {
    addr: Addr,
    /// From the address book: whoever is there now may have nothing to do with this group, so a refusal says little.
    remembered: bool,
    at: Instant,
    dialing: bool,
    /// Why the last try failed.
    failure: Option<Failure>,
}

impl Contact {
    /// True when no other try can help.
    fn is_closed(&self) -> bool {
        !self.remembered && self.failure.as_ref().is_some_and(Failure::is_final)
    }
}

/// Why a contact could not be reached.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    pub(crate) code: &'static str,
    pub(crate) hint: &'static str,
    /// Tries in a row that were refused for what another try cannot change.
    refusals: u32,
    /// A member of the group is there.
    member: bool,
}

impl Failure {
    /// A refusal travels in the clear: a hello that was altered on its way looks like one with another secret. What
    /// is said this often in a row is believed.
    const BELIEVED: u32 = 2;

    fn new(failure: DialFailure, before: Option<&Failure>) -> Self {
        match failure {
            DialFailure::Nobody(reason) | DialFailure::Trouble(reason) => {
                Failure { reason, code: "unreachable", hint: UNREACHED, refusals: 0, member: false }
            }
            DialFailure::Refused { code, reason, hint, fatal, member } => {
                let before = before.filter(|f| f.code == code).map_or(0, |f| f.refusals);
                Failure { reason, code, hint, refusals: if fatal { before + 1 } else { 0 }, member }
            }
        }
    }

    /// True when it is believed that no other try can help.
    fn is_final(&self) -> bool {
        self.refusals >= Self::BELIEVED
    }
}

/// A peer that a dial did not reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unreached {
    pub(crate) peer: Peer,
    /// Nobody listens there.
    pub(crate) nobody: bool,
    /// Dials in a row that came to nothing.
    pub(crate) tries: u32,
    /// How long this one went without an answer.
    pub(crate) took: Duration,
}

/// State of dialling.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialer {
    wants: BTreeMap<Peer, Want>,
    contacts: Vec<Contact>,
    /// Dials under way: what for, and since when.
    dials: BTreeMap<DialId, (Target, Instant)>,
    next_id: u64,
    book: BTreeMap<PeerId, (Vec<Addr>, Instant)>,
    store_at: Option<Instant>,
    /// When it can be stored again.
    storable: Instant,
    rejoin_at: Option<Instant>,
    rejoins: u32,
}

impl Dialer {
    pub(crate) fn new(book: Vec<(PeerId, Vec<Addr>)>) -> Self {
        let book = book.into_iter().map(|(id, addrs)| (id, (addrs, Instant::ZERO))).collect();
        Dialer { book, ..Dialer::default() }
    }

    fn book_addrs(&self) -> Vec<Addr> {
        self.book.values().flat_map(|(addrs, _)| addrs.iter().cloned()).collect()
    }

    /// Addresses to join through as well; those of the book when there are none.
    pub(crate) fn add_contacts(&mut self, addrs: Vec<Addr>, now: Instant) {
        let remembered = addrs.is_empty();
        let addrs = if remembered { self.book_addrs() } else { addrs };
        for addr in addrs {
            if let Some(known) = self.contacts.iter_mut().find(|c| c.addr == addr) {
                known.remembered &= remembered;
                continue;
            }
            self.contacts.push(Contact { addr, remembered, at: now, dialing: false, failure: None });
        }
    }

    /// True when every contact was tried: none can be reached but those that are linked.
    pub(crate) fn all_tried(&self) -> bool {
        self.contacts.iter().all(|c| c.failure.is_some() || c.at == Instant::FAR)
    }

    pub(crate) fn drop_contacts(&mut self) {
        self.contacts.clear();
    }

    /// Why no contact lets this node in: what a member said, or else the last failure.
    pub(crate) fn contact_failure(&self) -> Option<Failure> {
        let failures = || self.contacts.iter().rev().filter_map(|c| c.failure.as_ref());
        failures().find(|f| f.member).or_else(|| failures().next()).cloned()
    }

    /// True when a member has refused this node.
    pub(crate) fn is_refused_by_member(&self) -> bool {
        self.contacts.iter().any(|c| c.failure.as_ref().is_some_and(|f| f.member))
    }

    /// True when every contact has refused this node for good.
    pub(crate) fn is_refused(&self) -> bool {
        !self.contacts.is_empty() && self.contacts.iter().all(Contact::is_closed)
    }

    pub(crate) fn want(&mut self, base: &Base, peer: Peer) {
        let linked = base.links.get(peer).is_some();
        let want = self.wants.entry(peer).or_default();
        if !linked && want.at.is_none() && !want.dialing {
            want.at = Some(base.now);
        }
    }

    pub(crate) fn release(&mut self, peer: Peer) {
        self.wants.remove(&peer);
    }

    pub(crate) fn wants(&self, peer: Peer) -> bool {
        self.wants.contains_key(&peer)
    }

    pub(crate) fn on_link_up(&mut self, now: Instant, peer: Peer, dial: Option<DialId>) {
        if let Some(want) = self.wants.get_mut(&peer) {
            *want = Want { tries: want.tries, up: Some(now), ..Want::default() };
        }
        if let Some((target, _)) = dial.and_then(|d| self.dials.remove(&d)) {
            self.ended(&target);
            if let Target::Contact(addr) = &target
                && let Some(c) = self.contacts.iter_mut().find(|c| c.addr == *addr)
            {
                // Linked, it rests until the link is lost.
                (c.failure, c.at) = (None, Instant::FAR);
            }
        }
    }

    fn ended(&mut self, target: &Target) {
        match target {
            Target::Peer(p) => self.wants.get_mut(p).into_iter().for_each(|w| w.dialing = false),
            Target::Contact(addr) => {
                self.contacts.iter_mut().filter(|c| c.addr == *addr).for_each(|c| c.dialing = false);
            }
            Target::Once(_) => {}
        }
    }

    pub(crate) fn on_link_down(&mut self, base: &mut Base, peer: Peer) {
        if let Some(want) = self.wants.get_mut(&peer) {
            // A link that does not last is no better than a dial that fails.
            let lasted = want.up.take().is_some_and(|up| base.now.since(up) >= LASTING);
            want.tries = if lasted { 0 } else { want.tries.saturating_add(1) };
            let pause = (REDIAL / 2 * (1 << want.tries.min(8))).min(REDIAL_MAX);
            want.at = Some(base.now + base.rng.jitter(pause, 0.5));
        }
    }

    fn start(&mut self, base: &mut Base, target: Target, addr: Addr) {
        let dial = DialId(self.next_id);
        self.next_id += 1;
        self.dials.insert(dial, (target, base.now));
        base.out.push(Output::Dial { dial, addr });
    }

    /// One try to reach a peer, wanted or not.
    pub(crate) fn try_once(&mut self, base: &mut Base, peer: Peer) {
        let e = base.peers.get(peer);
        if let Some(addr) = e.addrs.first().cloned() {
            let id = e.id;
            self.start(base, Target::Once(Some(id)), addr);
        }
    }

    /// One try to reach somebody who is said to be a member and is not known here: at one of these addresses.
    fn meet(&mut self, base: &mut Base, addrs: &[Addr]) {
        let live = base.peers.iter().filter(|(peer, e)| *peer == Peer::ME || e.is_live());
        let known: BTreeSet<&Addr> = live.flat_map(|(_, e)| &e.addrs).collect();
        let strange: Vec<&Addr> = addrs.iter().filter(|addr| !known.contains(addr)).collect();
        if let Some(addr) = base.rng.pick(&strange).map(|addr| Addr::clone(addr)) {
            self.start(base, Target::Once(None), addr);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let wants = self.wants.values().filter(|w| !w.dialing).filter_map(|w| w.at).min();
        let contacts = self.contacts.iter().filter(|c| !c.dialing).map(|c| c.at).min();
        earliest(earliest(wants, contacts), earliest(self.store_at, self.rejoin_at))
    }

    pub(crate) fn on_deadline(&mut self, base: &mut Base) {
        let now = base.now;
        let due = |w: &Want| !w.dialing && w.at.is_some_and(|at| at <= now);
        let peers: Vec<Peer> = self.wants.iter().filter(|(_, w)| due(w)).map(|(p, _)| *p).collect();
        for peer in peers {
            self.dial_wanted(base, peer);
        }
        let contacts = self.contacts.iter_mut().filter(|c| !c.dialing && c.at <= now);
        let addrs: Vec<Addr> = contacts
            .map(|c| {
                c.dialing = true;
                c.addr.clone()
            })
            .collect();
        for addr in addrs {
            self.start(base, Target::Contact(addr.clone()), addr);
        }
        if self.store_at.is_some_and(|at| at <= now) {
            self.store(base);
        }
        if self.rejoin_at.is_some_and(|at| at <= now) {
            self.rejoin(base);
        }
    }

    fn dial_wanted(&mut self, base: &mut Base, peer: Peer) {
        let now = base.now;
        let linked = base.links.get(peer).is_some();
        let e = base.peers.get(peer);
        let Some(want) = self.wants.get_mut(&peer) else { return };
        if linked {
            want.at = None;
            return;
        }
        let addr = e.addrs.get(want.tries as usize % e.addrs.len().max(1)).cloned();
        let pause = (REDIAL * (1 << want.tries.min(8))).min(REDIAL_MAX);
        want.tries = want.tries.saturating_add(1);
        want.at = Some(now + base.rng.jitter(pause, 0.3));
        if let Some(addr) = addr {
            want.dialing = true;
            self.start(base, Target::Peer(peer), addr);
        }
    }

    /// A dial failed; what that says about the peer it was for.
    fn on_failed(&mut self, base: &mut Base, dial: DialId, failure: DialFailure) -> Option<Unreached> {
        let (target, begun) = self.dials.remove(&dial)?;
        self.ended(&target);
        let (nobody, took) = (matches!(failure, DialFailure::Nobody(_)), base.now.since(begun));
        let unreached = |peer, tries| Unreached { peer, nobody, tries, took };
        match target {
            Target::Peer(p) => self.wants.get(&p).map(|w| unreached(p, w.tries)),
            Target::Once(id) => base.peers.find(&id?).map(|p| unreached(p, 0)),
            Target::Contact(addr) => {
                if let Some(c) = self.contacts.iter_mut().find(|c| c.addr == addr) {
                    let failure = Failure::new(failure, c.failure.as_ref());
                    let pause = if failure.refusals == 1 { REDIAL } else { RETRY };
                    c.failure = Some(failure);
                    let again = base.now + base.rng.jitter(pause, 0.3);
                    c.at = if c.is_closed() { Instant::FAR } else { again };
                }
                None
            }
        }
    }

    /// A contact's link was lost while joining: dial it again.
    pub(crate) fn revive_contacts(&mut self, now: Instant) {
        for c in self.contacts.iter_mut().filter(|c| !c.dialing) {
            c.at = c.at.max(now + REDIAL);
            if c.failure.is_none() {
                c.at = now + REDIAL;
            }
        }
    }

    /// After a contact was linked it is not dialled again until its link is lost.
    pub(crate) fn rest_contacts(&mut self) {
        self.contacts.iter_mut().filter(|c| c.failure.is_none()).for_each(|c| c.at = Instant::FAR);
    }

    /// A live member is remembered.
    pub(crate) fn remember(&mut self, base: &Base, peer: Peer) {
        let e = base.peers.get(peer);
        if peer == Peer::ME || !e.is_live() || e.addrs.is_empty() {
            return;
        }
        let most = base.config.roster.book as usize;
        let known = self.book.get(&e.id).is_some_and(|(addrs, _)| *addrs == e.addrs);
        if !self.book.contains_key(&e.id) && self.book.len() >= most.max(1) {
            let oldest = self.book.iter().min_by_key(|(_, (_, seen))| *seen).map(|(id, _)| *id);
            oldest.into_iter().for_each(|id| drop(self.book.remove(&id)));
        }
        self.book.insert(e.id, (e.addrs.clone(), base.now));
        if !known {
            self.store_at = Some(self.storable.max(base.now));
        }
    }

    /// Hands out the address book if it has changed since it was last handed out.
    pub(crate) fn store(&mut self, base: &mut Base) {
        if self.store_at.take().is_some() {
            self.storable = base.now + STORE_PAUSE;
            let book = self.book.iter().map(|(id, (addrs, _))| (*id, addrs.clone()));
            base.out.push(Output::Book(book.collect()));
        }
    }

    /// Begins to look for absent members.
    pub(crate) fn start_rejoining(&mut self, base: &mut Base) {
        let pause = base.rng.jitter(base.config.roster.rejoin.0, 0.5);
        self.rejoin_at = Some(base.now + pause);
    }

    fn rejoin(&mut self, base: &mut Base) {
        let absent = |id: &PeerId| match base.peers.find(id) {
            None => true,
            Some(p) => {
                base.links.get(p).is_none() && matches!(base.peers.get(p).state, State::Unknown | State::Dead)
            }
        };
        let candidates: Vec<PeerId> =
            self.book.keys().copied().filter(|id| *id != base.me() && absent(id)).collect();
        self.rejoins = if candidates.is_empty() { 0 } else { self.rejoins.saturating_add(1) };
        if let Some(&id) = base.rng.pick(&candidates) {
            let addrs = self.book.get(&id).map(|(addrs, _)| addrs.clone()).unwrap_or_default();
            if let Some(addr) = base.rng.pick(&addrs).cloned() {
                self.start(base, Target::Once(Some(id)), addr);
            }
        }
        let grown = base.config.roster.rejoin.0 * (10 + self.rejoins.min(90)) / 10;
        self.rejoin_at = Some(base.now + base.rng.jitter(grown, 0.3));
    }
}

impl Engine {
    pub(crate) fn meet(&mut self, addrs: &[Addr]) {
        if self.is_member() {
            self.dialer.meet(&mut self.base, addrs);
        }
    }

    pub(crate) fn on_dial_failed(&mut self, dial: DialId, failure: DialFailure) {
        if let Some(unreached) = self.dialer.on_failed(&mut self.base, dial, failure) {
            self.not_reached(&unreached);
        }
    }
}
