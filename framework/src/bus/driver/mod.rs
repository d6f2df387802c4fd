//! The one task of a node that owns the engine.
//!
//! It turns: take what waits (batches of frames, ended tasks, questions), tell the engine, do what the engine wants,
//! look at the clock, take what was published; then sleep until something happens or the engine's deadline passes. It
//! never waits for a peer, a disk or the application: everything that could make it wait has a task of its own and a
//! bound, and what exceeds the bound is dropped for the engine to make up for.

mod accept;
mod gathering;
mod held;
mod leading;
mod link;
mod links;
mod outbound;
mod outputs;
mod slot;
mod startup;
mod strangers;
mod tasks;

use std::sync::Arc;

use tertulia_core::config::LimitsConfig;
use tertulia_core::engine::api::Input;
use tertulia_core::engine::{Engine, GOODBYE};
use tertulia_core::frame::{Frame, Lane};
use tertulia_core::time::{Instant, earliest};
use tokio::sync::{mpsc, oneshot, watch};

use super::error::Outcome;
use super::outgoing::{Phase, Wants};
use super::shared::{Command, Shared, members, view};
use crate::discovery::{Discovery, Founding};
use crate::link::{Crypto, HandshakeParams, Listener, RawLink, Transport};
use crate::policy::Policy;
use crate::store::Store;
use gathering::Gathering;
use held::Held;
use leading::Office;
use link::Arrival;
use links::Links;
use slot::Slot;
pub use startup::Entry;
use startup::{Finding, Vain};
use strangers::Strangers;
use tasks::Tasks;

/// What one turn takes of each kind at most, so that no source starves another.
const TURN: usize = 16;
/// Parcels that one turn makes at most.
const PARCELS: usize = 8;
/// Findings of the search for a way in that wait at once.
const FINDINGS: usize = 4;

/// How long leaving may take, until the last link is closed.
const LEAVE: core::time::Duration = core::time::Duration::from_secs(10);
/// The same for a node that is no member yet.
const LEAVE_EARLY: core::time::Duration = core::time::Duration::from_secs(1);
/// How long links have to close.
const CLOSE: core::time::Duration = core::time::Duration::from_secs(1);

/// What a driver is made from.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) limits: LimitsConfig,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) crypto: Arc<dyn Crypto>,
    pub(crate) params: HandshakeParams,
    pub(crate) listener: Box<dyn Listener>,
    pub(crate) entry: Entry,
    pub(crate) discovery: Option<Arc<dyn Discovery>>,
    pub(crate) policy: Arc<dyn Policy>,
    /// True when the address book holds anybody.
    pub(crate) remembered: bool,
    /// Where the topology's slot is kept.
    pub(crate) store: Arc<dyn Store>,
    /// Where changes of the address book go.
    pub(crate) book: watch::Sender<super::Book>,
}

struct Driver {
    engine: Engine,
    limits: LimitsConfig,
    shared: Arc<Shared>,
    book: watch::Sender<super::Book>,
    transport: Arc<dyn Transport>,
    crypto: Arc<dyn Crypto>,
    params: HandshakeParams,
    arrivals: mpsc::Sender<Arrival>,
    start: tokio::time::Instant,
    now: Instant,
    links: Links,
    slot: Slot,
    tasks: Tasks,
    held: Held,
    discovery: Option<Arc<dyn Discovery>>,
    policy: Arc<dyn Policy>,
    findings: mpsc::Sender<Finding>,
    /// The search for a way in, and then for other members; and what it wants to be told.
    search: Option<tokio::task::AbortHandle>,
    vain: Option<Vain>,
    /// Others may find this node.
    announced: bool,
    /// Ends when discovery was told all so far.
    told: Option<oneshot::Receiver<()>>,
    /// It leads.
    office: Option<Office>,
    /// Held until this node can be found.
    founding: Option<Founding>,
    phase: Phase,
    strangers: Strangers,
    gathering: Gathering,
    /// Parcels published to the group.
    parcels: u64,
    end: End,
    /// Why the engine is about to stop.
    refusal: Option<Outcome>,
    /// Memory that is used again.
    outputs: Vec<tertulia_core::engine::api::Output>,
    /// The table of members changed since handles last saw it.
    changed: bool,
}

/// How far a node is on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// It stays.
    Stays,
    /// What was accepted goes out first; the engine is told after that. All is over by then, but for closing links.
    Drains { until: Instant },
    /// The engine says goodbye.
    Leaves { until: Instant },
    /// Links close.
    Closes { until: Instant, outcome: Outcome },
}

/// Runs a node until it is over, and says how it ended and how many parcels it published to the
/// group.
pub(crate) async fn run(parts: Parts) -> (Outcome, u64) {
    let start = tokio::time::Instant::now();
    let limits = parts.limits;
    let most = usize::try_from(limits.links).unwrap_or(usize::MAX);
    let (arrivals, mut arrived) = mpsc::channel(Arrival::capacity(most));
    let mut commands = parts.commands;
    let mut tasks = Tasks::new(usize::try_from(limits.handshakes).unwrap_or(usize::MAX));
    let mut accepted = accept::start(parts.listener, &mut tasks);
    let (findings, mut found) = mpsc::channel(FINDINGS);
    let mut driver = Driver {
        engine: parts.engine,
        held: Held::new(limits.inbox.bytes()),
        links: Links::new(most, parts.shared.wake.clone()),
        slot: Slot::new(parts.store, limits.lane_control.bytes()),
        limits,
        book: parts.book,
        transport: parts.transport,
        crypto: parts.crypto,
        params: parts.params,
        arrivals,
        start,
        now: Instant::ZERO,
        tasks,
        discovery: parts.discovery,
        policy: parts.policy,
        findings,
        search: None,
        vain: None,
        announced: false,
        told: None,
        office: None,
        founding: None,
        phase: Phase::Joining,
        strangers: Strangers::default(),
        gathering: Gathering::default(),
        parcels: 0,
        end: End::Stays,
        refusal: None,
        outputs: Vec::new(),
        changed: true,
        shared: parts.shared,
    };
    driver.enter(&parts.entry, parts.remembered);
    let mut batch = Vec::with_capacity(TURN);
    let wake = driver.shared.wake.clone();
    let mut alarm = std::pin::pin!(tokio::time::sleep_until(start));
    loop {
        let more = driver.turn();
        if driver.is_over() {
            break;
        }
        let deadline = driver.deadline().map(|at| start + at.since(Instant::ZERO));
        if let Some(at) = deadline
            && (at < alarm.deadline() || alarm.is_elapsed())
        {
            alarm.as_mut().reset(at);
        }
        tokio::select! {
            n = arrived.recv_many(&mut batch, TURN) => {
                driver.tick();
                if n > 0 {
                    batch.drain(..).for_each(|arrival| driver.arrived(arrival));
                }
            }
            Some(raw) = accepted.recv() => driver.accepted(raw),
            Some(ended) = driver.tasks.next() => { driver.tick(); driver.ended(ended); }
            Some(finding) = found.recv() => { driver.tick(); driver.found(finding); }
            Some(command) = commands.recv() => driver.answer(command),
            () = wake.notified() => {}
            () = &mut alarm, if deadline.is_some() => {}
            () = tokio::task::yield_now(), if more => {}
        }
    }
    // Whatever keeps it, the end is not put off for long: entries of those who are gone expire.
    let _late = tokio::time::timeout(CLOSE, driver.be_forgotten()).await;
    driver.tasks.stop().await;
    let outcome = match &driver.end {
        End::Closes { outcome, .. } => outcome.clone(),
        _ => Outcome::Failed,
    };
    (outcome, driver.parcels)
}

impl Driver {
    fn tick(&mut self) {
        let passed = self.start.elapsed();
        self.now = self.now.max(Instant::ZERO + passed);
    }

    /// Tells the engine, and does what it wants.
    fn tell(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        self.apply();
    }

    /// One turn; true when there is more to do at once.
    fn turn(&mut self) -> bool {
        self.tick();
        self.release();
        self.look_at_the_clock();
        let more = self.publish();
        self.links.flush();
        self.refresh();
        self.look_at_electors();
        self.tell_search();
        let starved = !self.held.is_empty() && self.shared.hub.starve();
        (more || starved) && !matches!(self.end, End::Closes { .. })
    }

    /// Takes what was published; true when more can be taken at once.
    fn publish(&mut self) -> bool {
        if self.phase == Phase::Joining {
            return false;
        }
        let mut grows = self.gathering.look(self.shared.outgoing.group_len());
        for _ in 0..PARCELS {
            let group = self.shared.outgoing.take_group(self.wants_group(grows));
            let engine = &self.engine;
            let direct = self.shared.outgoing.take_direct(|to| engine.can_send(to));
            if group.is_none() && direct.is_none() {
                break;
            }
            if let Some(body) = group {
                self.parcels += 1;
                grows = true;
                self.links.marks(true);
                self.tell(Input::Publish { to: None, draft: body.draft });
                self.links.marks(false);
            }
            if let Some(body) = direct {
                self.tell(Input::Publish { to: body.to, draft: body.draft });
            }
        }
        let wants = self.wants_group(false);
        let engine = &self.engine;
        !self.shared.outgoing.sleep(wants, |to| engine.can_send(to))
    }

    /// Which bodies for the group could be published now; one that still grows is left to grow for this turn.
    fn wants_group(&self, grows: bool) -> Wants {
        match self.engine.can_publish() {
            false => Wants::Nothing,
            true if grows || (self.shared.outgoing.group_len() > 0 && self.links.corked()) => Wants::Full,
            true => Wants::Any,
        }
    }

    /// Hands data that waited to the engine, as far as the application reads.
    fn release(&mut self) {
        while !self.held.is_empty() && self.shared.hub.has_room() {
            if let Some((link, frame)) = self.held.pop() {
                self.tell(Input::Frame { link, frame });
            }
        }
        if self.held.is_empty() {
            let passed = self.held.passed();
            if passed > 0 {
                tracing::warn!(frames = passed, "the application did not read: data is asked for again");
            }
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Frames { link, frames, credit } => {
                self.frames(link, frames);
                drop(credit);
            }
            Arrival::End { link, why } => self.reader_ended(link, why),
        }
    }

    fn frames(&mut self, link: tertulia_core::engine::api::LinkId, frames: Vec<(Lane, Frame)>) {
        for (_, frame) in frames {
            if Held::concerns(&frame) && !(self.held.is_empty() && self.shared.hub.has_room()) {
                self.held.push(link, frame);
            } else {
                self.tell(Input::Frame { link, frame });
            }
        }
    }

    fn answer(&mut self, command: Command) {
        // Whoever asked may have given up: then nobody needs the answer.
        match command {
            Command::Members(tx) => drop(tx.send(members(self.engine.peers()))),
            Command::View(tx) => drop(tx.send(view(&self.engine))),
            Command::Stats(tx) => drop(tx.send(self.engine.stats())),
            Command::Report(dead) => self.report(dead),
        }
    }

    /// Lets handles see who is known.
    fn refresh(&mut self) {
        if std::mem::take(&mut self.changed) {
            let ids = self.engine.peers().iter().filter(|(_, e)| e.state.is_live()).map(|(_, e)| e.id);
            *self.shared.known.lock() = ids.collect();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let end = match self.end {
            End::Stays => None,
            End::Drains { until } => Some(until.before(GOODBYE)),
            End::Leaves { until } | End::Closes { until, .. } => Some(until),
        };
        let ours = earliest(end, self.links.deadline());
        let ours = earliest(ours, self.office.as_ref().and_then(Office::deadline));
        if matches!(self.end, End::Closes { .. }) {
            return ours;
        }
        earliest(ours, earliest(self.engine.next_deadline(), self.strangers.next_deadline()))
    }

    fn look_at_the_clock(&mut self) {
        if self.end == End::Stays && self.shared.leaving() {
            let member = self.phase == Phase::Member;
            self.phase = Phase::Gone;
            self.shared.outgoing.enter(Phase::Gone);
            self.withdraw();
            let until = self.now + if member { LEAVE - CLOSE } else { LEAVE_EARLY };
            self.end = End::Drains { until };
        }
        if let End::Drains { until } = self.end
            && (self.shared.outgoing.is_empty() || self.now + GOODBYE >= until)
        {
            self.end = End::Leaves { until };
            self.tell(Input::Leave(until));
        }
        if let End::Leaves { until } = self.end
            && self.now >= until
        {
            self.close_all(Outcome::LeftEarly);
        }
        if matches!(self.end, End::Closes { .. }) {
            self.links.expire(self.now).into_iter().for_each(|link| self.tasks.abort(link));
            return;
        }
        if self.engine.next_deadline().is_some_and(|at| at <= self.now) {
            self.engine.on_deadline(self.now);
            self.apply();
        }
        self.tell_of_strangers(false);
        let late = self.links.expire(self.now);
        late.into_iter().for_each(|link| self.link_down(link, tertulia_core::engine::api::Down::Closed));
    }

    /// Begins the end: nothing more is told to the engine, and links close.
    fn close_all(&mut self, outcome: Outcome) {
        if matches!(self.end, End::Closes { .. }) {
            return;
        }
        self.tell_of_strangers(true);
        self.phase = Phase::Gone;
        self.shared.outgoing.enter(Phase::Gone);
        self.links.flush();
        let until = self.now + CLOSE;
        self.links.close_all(until);
        self.end = End::Closes { until, outcome };
    }

    fn is_over(&self) -> bool {
        let End::Closes { until, .. } = self.end else { return false };
        self.links.is_empty() || self.now >= until
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.outgoing.enter(Phase::Gone);
        self.shared.hub.close();
        self.shared.pending.close();
    }
}
