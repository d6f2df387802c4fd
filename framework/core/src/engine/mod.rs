//! The engine: delivery, roster, failure detector and links of one node, around a topology plug-in.
//!
//! One door in ([`Engine::handle`], [`Engine::on_deadline`]), one way out ([`Engine::outputs`]). The same inputs at the
//! same times give the same outputs: there is no clock, no task, no thread and no randomness of the system in here.

pub mod api;
mod base;
mod delivery;
mod detector;
mod dial;
mod join;
mod links;
mod record;
mod roster;
mod sync;

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use self::api::{CloseReason, DialId, Down, Event, Input, LinkId, Output, Who};
use self::base::Base;
use self::delivery::Delivery;
use self::detector::Detector;
use self::dial::Dialer;
use self::join::Phase;
use self::links::{Link, LinkSync, Links, Probing, Rtt, Second};
use self::record::Record;
use self::roster::{Forged, Roster};
use crate::auth::Auth;
use crate::config::EngineConfig;
use crate::frame::{Frame, FrameKind, Lane};
use crate::id::{Incarnation, Peer, PeerId};
use crate::peers::{Addr, Entry, PeerTable, State};
use crate::rng::NodeRng;
use crate::time::Instant;
use crate::topology::{Act, Ctx, Outbox, Topology, View};

pub use self::base::Stats;
pub use self::join::GOODBYE;

/// How long a change of neighbours must last to be told.
const NEIGHBOURS: Duration = Duration::from_millis(100);
/// How often links are looked over.
const TIDY: Duration = Duration::from_secs(1);
/// For how long a peer is remembered of whom only the name is known.
const HEARSAY: Duration = Duration::from_secs(60);
/// Room for outputs that is kept while little happens.
const OUTPUTS: usize = 16;

/// A fault built in on purpose, so that a suite can prove that it would be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A parcel counts as seen before its signature was checked.
    DedupeBeforeVerify,
    /// An answer to a pull lacks the last parcel asked for.
    RepairForgetsLast,
}

/// What an engine is made from.
pub struct Setup {
    /// Its settings.
    pub config: EngineConfig,
    /// Its identity.
    pub auth: Box<dyn Auth>,
    /// Its topology.
    pub topology: Box<dyn Topology>,
    /// The seed of its randomness.
    pub seed: u64,
    /// This run.
    pub incarnation: Incarnation,
    /// The run before this one and the last parcel of its stream, as far as known.
    pub before: (Incarnation, u64),
    /// The group's epoch.
    pub epoch: u32,
    /// The nick asked for.
    pub nick: Arc<str>,
    /// True when another nick will not do.
    pub nick_explicit: bool,
    /// When the nick was claimed: milliseconds since the Unix epoch. Kept over restarts.
    pub claimed_at: u64,
    /// Where this node can be dialled.
    pub addrs: Vec<Addr>,
    /// The address book of earlier runs.
    pub book: Vec<(PeerId, Vec<Addr>)>,
    /// What the topology had kept last, in an earlier run.
    pub slot: Option<Bytes>,
    /// A fault built in on purpose; `None` in programs.
    pub planted: Option<Planted>,
}

/// One node's protocol state. A copy goes on by itself, as the same node.
#[derive(Clone)]
pub struct Engine {
    base: Base,
    topology: Box<dyn Topology>,
    outbox: Outbox,
    roster: Roster,
    delivery: Delivery,
    detector: Detector,
    dialer: Dialer,
    phase: Phase,
    /// Neighbours named for the parcel being routed; true: the payload.
    targets: Vec<(Peer, bool)>,
    /// The roster's count of changes when neighbours were last scheduled.
    told: u64,
    neighbours: Vec<Peer>,
    neighbours_changed: bool,
    neighbours_at: Option<Instant>,
    tidy_at: Instant,
    /// Peers of whom only the name is known, and since when.
    heard_of: BTreeMap<Peer, Instant>,
    before: (Incarnation, u64),
    nick_wanted: Arc<str>,
    nick_explicit: bool,
    /// What the topology kept, until it is told.
    slot: Option<Bytes>,
    nicks_tried: u32,
    tracing: bool,
    planted: Option<Planted>,
    /// What the planted dedupe takes for seen.
    poisoned: std::collections::BTreeSet<(PeerId, Incarnation, u64)>,
}

impl Engine {
    /// A node that knows nobody yet and waits for [`Input::Found`] or [`Input::Join`].
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let me = setup.auth.me();
        let mut peers = PeerTable::new(me);
        // The topology may have to say where this node can be dialled before it is a member.
        peers.get_mut(Peer::ME).addrs.clone_from(&setup.addrs);
        let record = Record {
            id: me,
            incarnation: setup.incarnation,
            version: 0,
            left: false,
            nick: setup.nick.clone(),
            claimed_at: setup.claimed_at,
            seal_key: setup.auth.seal_key(),
            addrs: setup.addrs,
        };
        Engine {
            base: Base {
                now: Instant::ZERO,
                config: setup.config,
                auth: Arc::from(setup.auth),
                peers,
                links: Links::default(),
                out: Vec::new(),
                rng: NodeRng::new(setup.seed),
                incarnation: setup.incarnation,
                epoch: setup.epoch,
                ready: false,
                closed: Vec::new(),
                stats: Stats::default(),
            },
            topology: setup.topology,
            outbox: Outbox::default(),
            roster: Roster::new(record),
            delivery: Delivery::new(),
            detector: Detector::default(),
            dialer: Dialer::new(setup.book),
            phase: Phase::Idle,
            targets: Vec::new(),
            told: 1,
            neighbours: Vec::new(),
            neighbours_changed: false,
            neighbours_at: None,
            tidy_at: Instant::ZERO,
            heard_of: BTreeMap::new(),
            before: setup.before,
            nick_wanted: setup.nick,
            nick_explicit: setup.nick_explicit,
            slot: setup.slot,
            nicks_tried: 0,
            tracing: false,
            planted: setup.planted,
            poisoned: Default::default(),
        }
    }

    /// Something happened at `now`, which never goes back.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.base.now = self.base.now.max(now);
        if self.phase == Phase::Stopped {
            return;
        }
        match input {
            Input::Frame { link, frame } => self.on_frame(link, frame),
            Input::Publish { to: None, draft } => self.publish_group(draft),
            Input::Publish { to: Some(to), draft } => self.publish_direct(to, draft),
            Input::LinkUp { link, peer, incarnation, dial } => self.on_link_up(link, peer, incarnation, dial),
            Input::LinkDown { link, reason } => self.on_link_down(link, reason),
            Input::DialFailed { dial, failure } => self.on_dial_failed(dial, failure),
            Input::Found => self.found(),
            Input::Join(contacts) => self.join(contacts),
            Input::Meet(addrs) => self.meet(&addrs),
            Input::Leave(until) => self.leave(until),
            Input::Addrs(addrs) => self.roster.readdress(&mut self.base, addrs),
        }
        self.settle();
    }

    /// Time passed. Early or spurious calls are harmless.
    pub fn on_deadline(&mut self, now: Instant) {
        let due = self.next_deadline();
        self.base.now = self.base.now.max(now);
        if self.phase == Phase::Stopped {
            return;
        }
        if let Some(due) = due.filter(|&due| due <= self.base.now) {
            self.check_clock(due);
        }
        self.on_probe_deadline();
        self.roster.on_deadline(&mut self.base);
        self.dialer.on_deadline(&mut self.base);
        self.on_search_deadline();
        self.on_own_deadline();
        self.on_direct_deadline();
        if self.topology.next_deadline().is_some_and(|at| at <= self.base.now) {
            self.wake_topology();
        }
        if self.neighbours_at.is_some_and(|at| at <= self.base.now) {
            self.neighbours_at = None;
            self.tell_neighbours();
        }
        if self.tidy_at <= self.base.now {
            self.tidy_at = self.base.now + TIDY;
            self.roster.note_time(self.base.now);
            self.tidy_links();
            self.forget_stale();
            self.roster.rest();
            self.base.out.shrink_to(OUTPUTS);
        }
        self.settle();
        sync::on_deadline(&mut self.base, &self.roster);
    }

    /// What the engine wants done, in order; the driver drains it after every call.
    pub fn outputs(&mut self) -> &mut Vec<Output> {
        &mut self.base.out
    }

    /// Everybody known.
    #[must_use]
    pub fn peers(&self) -> &PeerTable {
        &self.base.peers
    }

    /// The topology as seen from here.
    #[must_use]
    pub fn view(&self) -> View {
        self.topology.view(&self.base.peers)
    }

    /// True once this node is a member, until it begins to leave.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.phase == Phase::Member
    }

    /// Whether [`Event::Trace`] is told.
    pub fn set_tracing(&mut self, on: bool) {
        self.tracing = on;
    }

    /// Figures since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { ahead: self.delivery.ahead_bytes() as u64, ..self.base.stats }
    }

    fn on_link_up(&mut self, link: LinkId, id: PeerId, incarnation: Incarnation, dial: Option<DialId>) {
        let refuse = |base: &mut Base, reason: CloseReason| {
            let frame = Frame::new(FrameKind::Bye, Bytes::from_static(reason.code()));
            base.out.push(Output::Send { link, lane: Lane::Control, frame });
            base.out.push(Output::Close { link, reason });
        };
        let base = &mut self.base;
        if id == base.me() {
            return refuse(base, CloseReason::Misbehaved("this node's own key"));
        }
        let full = base.links.up().len() >= base.config.limits.links as usize;
        let crowded = base.peers.len() >= base.config.roster.max as usize * 2 + 64;
        if (full || crowded) && base.peers.find(&id).is_none() {
            return refuse(base, CloseReason::Full);
        }
        let peer = base.peers.intern(id);
        if let Some(old) = base.links.get(peer) {
            match Links::second(old, dial.is_some(), incarnation, (base.me(), id), base.now) {
                Second::Refuse => {
                    self.dialer.on_link_up(base.now, peer, dial);
                    if incarnation < base.peers.get(peer).incarnation
                        && let Some(body) = sync::later_run(base, &self.roster, peer)
                    {
                        let frame = Frame::new(FrameKind::Sync, body);
                        base.out.push(Output::Send { link, lane: Lane::Control, frame });
                    }
                    return refuse(base, CloseReason::Replaced);
                }
                Second::Replace => {
                    base.close(peer, CloseReason::Replaced);
                    self.settle_closed();
                }
            }
        }
        let now = self.base.now;
        self.dialer.on_link_up(now, peer, dial);
        self.base.links.insert(Link {
            id: link,
            peer,
            mark: 0,
            incarnation,
            dialed: dial.is_some(),
            up: now,
            heard: now,
            rtt: Rtt::default(),
            eager: true,
            wanted: self.dialer.wants(peer),
            wanted_there: false,
            member_there: false,
            unneeded: None,
            sync: LinkSync::default(),
            probing: Probing::default(),
            bye: false,
        });
        self.base.peers.get_mut(peer).linked = true;
        sync::start(&mut self.base, &mut self.roster, peer);
        self.neighbours_changed = true;
        self.ask(crate::topology::Input::LinkUp { peer });
    }

    fn on_link_down(&mut self, link: LinkId, reason: Down) {
        let Some(link) = self.base.links.remove(link) else { return };
        let peer = link.peer;
        self.base.peers.get_mut(peer).linked = false;
        self.neighbours_changed = true;
        self.dialer.on_link_down(&mut self.base, peer);
        if !link.bye && reason != Down::Corrupt && self.base.peers.get(peer).is_live() {
            self.lost_link(peer);
            if !self.dialer.wants(peer) {
                self.dialer.try_once(&mut self.base, peer);
            }
        }
        self.contact_lost(peer);
        self.ask(crate::topology::Input::LinkDown { peer });
    }

    fn on_frame(&mut self, link: LinkId, frame: Frame) {
        let Some(from) = self.base.links.peer(link) else { return };
        self.heard_from(from);
        let body = &frame.body;
        let done = match frame.kind {
            FrameKind::Data => self.on_parcel(from, frame, false),
            FrameKind::Repair => self.on_parcel(from, frame, true),
            FrameKind::Announce => self.on_announce(from, body),
            FrameKind::Pull => self.on_pull(from, body),
            FrameKind::PullEnd => self.on_pull_end(from, body),
            FrameKind::Sync => sync::on_sync(&mut self.base, &mut self.roster, from, body).map(|heard| {
                self.neighbours_changed = true;
                self.settle_news();
                for (member, stream) in heard.progress {
                    self.on_progress(member, stream);
                }
            }),
            FrameKind::SyncAck => sync::on_ack(&mut self.base, from, body),
            FrameKind::Probe => self.on_probe(from, body),
            FrameKind::Topology => {
                self.ask(crate::topology::Input::Frame { from, body });
                Ok(())
            }
            FrameKind::Bye => {
                self.base.links.get_mut(from).into_iter().for_each(|l| l.bye = true);
                Ok(())
            }
        };
        if let Err(Forged(what)) = done {
            self.base.close(from, CloseReason::Misbehaved(what));
            let nick = self.base.nick_of(from);
            let hint = "the link was closed and will be made anew";
            self.base.event(Event::Trouble {
                code: "misbehaved",
                reason: format!("{nick} sent a {what}"),
                hint,
            });
        }
    }

    /// Lets the topology see an input, and does what it answers.
    fn ask(&mut self, input: crate::topology::Input<'_>) {
        let base = &mut self.base;
        let (peers, auth, rng) = (&base.peers, &*base.auth, &mut base.rng);
        let mut cx = Ctx { now: base.now, rng, peers, auth, out: &mut self.outbox };
        self.topology.on_input(&mut cx, input);
        self.apply_acts();
    }

    fn wake_topology(&mut self) {
        let base = &mut self.base;
        let (peers, auth, rng) = (&base.peers, &*base.auth, &mut base.rng);
        let mut cx = Ctx { now: base.now, rng, peers, auth, out: &mut self.outbox };
        self.topology.on_deadline(&mut cx);
        self.apply_acts();
    }

    fn apply_acts(&mut self) {
        let mut outbox = core::mem::take(&mut self.outbox);
        for act in outbox.drain() {
            match act {
                Act::Eager(p) => self.target(p, true),
                Act::Lazy(p) => self.target(p, false),
                Act::Deliver(next) => self.deliver_next(next),
                Act::Persist(slot) => self.base.out.push(Output::Persist(slot)),
                Act::Send(p, body) => self.base.control(p, FrameKind::Topology, body),
                Act::Want(p) if p != Peer::ME => {
                    self.dialer.want(&self.base, p);
                    self.set_wanted(p, true);
                }
                Act::Want(_) => {}
                Act::Release(p) => {
                    self.dialer.release(p);
                    self.set_wanted(p, false);
                }
                Act::Learn(id, addrs) => self.learn(id, addrs),
                Act::Joined => self.joined(),
                Act::Refused { code, reason } => self.refused(code, reason),
                Act::Left => self.topology_left(),
                Act::Leader(id, term, proof) => {
                    if let Some(p) = self.base.peers.find(&id) {
                        let mut leader = self.base.who(p);
                        if p == Peer::ME {
                            // A founder leads before its nick stands in the roster.
                            leader.nick = self.roster.nick().clone();
                        }
                        self.base.event(Event::Leader { leader, term, proof });
                    }
                }
                Act::Waiting(reason) => self.base.event(Event::Waiting(reason)),
                Act::Trace(..) if !self.tracing => {}
                Act::Trace(name, p, sent) => {
                    let peer = self.base.peers.id(p);
                    self.base.event(Event::Trace { name, peer, sent });
                }
            }
        }
        self.outbox = outbox;
    }

    fn target(&mut self, peer: Peer, eager: bool) {
        if !self.targets.iter().any(|t| t.0 == peer) {
            self.targets.push((peer, eager));
        }
    }

    fn set_wanted(&mut self, peer: Peer, wanted: bool) {
        let now = self.base.now;
        if let Some(l) = self.base.links.get_mut(peer)
            && l.wanted != wanted
        {
            l.wanted = wanted;
            l.sync.due = Some(now);
            self.neighbours_changed = true;
        }
    }

    fn learn(&mut self, id: PeerId, addrs: Vec<Addr>) {
        let room = self.base.peers.len() < self.base.config.roster.max as usize * 2;
        if id == self.base.me() || (!room && self.base.peers.find(&id).is_none()) {
            return;
        }
        let peer = self.base.peers.intern(id);
        let e = self.base.peers.get_mut(peer);
        if e.addrs.is_empty() {
            e.addrs = addrs;
            e.addrs.truncate(crate::peers::ADDRS_MAX);
        }
    }

    /// Tells everybody concerned of links that were closed from this side.
    fn settle_closed(&mut self) {
        while let Some(peer) = self.base.closed.pop() {
            self.neighbours_changed = true;
            self.dialer.on_link_down(&mut self.base, peer);
            self.contact_lost(peer);
            self.ask(crate::topology::Input::LinkDown { peer });
        }
    }

    /// Draws the consequences of what has just happened.
    fn settle(&mut self) {
        let news = self.settle_news();
        self.settle_closed();
        self.check_order();
        if self.phase == Phase::Stopped {
            return;
        }
        if self.roster.superseded {
            let reason = "this identity runs elsewhere, started later".into();
            self.stop_with(
                "identity-in-use",
                reason,
                "stop the other program, or use another data directory",
            );
            return;
        }
        if self.roster.stamp != self.told {
            self.told = self.roster.stamp;
            // Senders wait for these answers: eight of them to a window.
            let urgent = news || self.delivery.untold as u64 >= self.base.config.delivery.window.0 / 8;
            let wait = if urgent { Duration::ZERO } else { sync::pause(&self.base) };
            if urgent {
                self.delivery.untold = 0;
            }
            sync::schedule(&mut self.base, wait, news);
        }
        if !matches!(self.phase, Phase::Idle | Phase::Member) {
            self.advance();
        }
        if core::mem::take(&mut self.neighbours_changed) {
            // Links that replace one another come and go within moments.
            self.neighbours_at = self.neighbours_at.or(Some(self.base.now + NEIGHBOURS));
        }
    }

    /// Tells everybody concerned whose membership has changed. True when there was any.
    fn settle_news(&mut self) -> bool {
        let mut any = false;
        while let Some(peer) = self.roster.news.pop() {
            any = true;
            self.dialer.remember(&self.base, peer);
            self.on_direct_member(peer);
            self.introduce_peer(peer);
            self.neighbours_changed = true;
            self.ask(crate::topology::Input::Member { peer });
        }
        if any {
            self.pace();
            self.report();
        }
        any
    }

    fn tell_neighbours(&mut self) {
        if !self.base.ready {
            return;
        }
        let near = |l: &&Link| (l.wanted || l.wanted_there) && self.base.peers.get(l.peer).is_live();
        let mut now: Vec<Peer> = self.base.links.iter().filter(near).map(|l| l.peer).collect();
        now.sort_unstable();
        if now != self.neighbours {
            let who: Vec<Who> = now.iter().map(|&p| self.base.who(p)).collect();
            self.neighbours = now;
            self.base.event(Event::Neighbours(who));
        }
    }

    /// Forgets members that are gone for long, and peers that were only ever heard of.
    fn forget_stale(&mut self) {
        let hearsay = self.hearsay();
        for peer in self.roster.stale(&self.base).into_iter().chain(hearsay) {
            if self.delivery.keeps(peer) || self.base.links.get(peer).is_some() {
                continue;
            }
            self.ask(crate::topology::Input::Forgotten { peer });
            self.forget_order(peer);
            self.delivery.forget(peer, self.base.peers.id(peer));
            self.dialer.release(peer);
            self.roster.forget(peer);
            self.base.peers.forget(peer);
            self.heard_of.remove(&peer);
        }
    }

    /// Peers of whom for a minute nothing was known but what others said, and whom nobody here wanted to reach.
    fn hearsay(&mut self) -> Vec<Peer> {
        let now = self.base.now;
        let idle = |p: Peer, e: &Entry| e.state == State::Unknown && !e.linked && !self.dialer.wants(p);
        let peers = self.base.peers.iter().filter(|(p, e)| *p != Peer::ME && idle(*p, e));
        let heard_of = peers.map(|(p, _)| (p, self.heard_of.get(&p).copied().unwrap_or(now))).collect();
        self.heard_of = heard_of;
        let old = |(p, since): (&Peer, &Instant)| (now.since(*since) >= HEARSAY).then_some(*p);
        self.heard_of.iter().filter_map(old).collect()
    }

    fn forgets_last(&self, number: u64, last: u64) -> bool {
        self.planted == Some(Planted::RepairForgetsLast) && number == last
    }
}
