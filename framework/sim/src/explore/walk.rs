//! The walk through the tree of schedules: a group goes from boundary to boundary, and at each one copies of it are
//! struck by the next event. What schedules have in common is run once.

use tertulia_core::rng::mix;
use tertulia_core::time::Instant;

use super::orders::Opening;
use super::run::{CALM, QUIET, Run, speaker, targets};
use super::schedule::{Act, Place, Schedule};
use super::{Explored, Explorer, FAILURES};
use crate::campaign::{Topologies, guard};
use crate::oracle::Violation;

/// Walks, and notes what it finds.
pub(super) struct Walk<'a> {
    pub(super) explorer: &'a Explorer,
    pub(super) make: Topologies<'a>,
    pub(super) found: Explored,
}

impl Walk<'_> {
    /// Tries all schedules that begin like one of these, all over the same group.
    pub(super) fn group(&mut self, openings: &[Opening]) {
        let Some(Opening { start, seed, .. }) = openings.first() else { return };
        let factory = |node| (self.make)(*seed, node);
        let formed = guard(|| {
            let mut run = Run::form(self.explorer, *start, *seed, &factory, None);
            run.wait(QUIET);
            run
        });
        let (piece, pieces) = self.explorer.piece;
        let mine = |opening: &&Opening| opening.acts.len() > 1 || opening.seed % pieces.max(1) == piece;
        for schedule in openings.iter().filter(mine).map(Opening::schedule) {
            match &formed {
                Ok(run) => self.branch(&schedule, run),
                Err(detail) => self.panicked(&schedule, detail.clone()),
            }
        }
    }

    /// Lets the last event of a schedule that has a place strike a copy of the group, and goes on from there.
    fn branch(&mut self, schedule: &Schedule, before: &Run<'_>) {
        let done = guard(|| {
            let mut run = before.fork();
            if let Some((last, place)) = schedule.places.iter().enumerate().next_back() {
                run.strike(&schedule.acts[last..], place.who);
            }
            match schedule.is_whole() {
                true => self.judge(schedule, run),
                false => self.go_on(schedule, run),
            }
        });
        if let Err(detail) = done {
            self.panicked(schedule, detail);
        }
    }

    /// Tries the next event of a schedule at all its places.
    fn go_on(&mut self, schedule: &Schedule, run: Run<'_>) {
        let mut quiet = run.fork();
        let act = schedule.acts[schedule.places.len()];
        let mut boundaries = Boundaries::new(self.explorer, run, act);
        let mut number = 0;
        loop {
            let after = boundaries.after();
            for who in boundaries.news() {
                self.place(schedule, number, Place { who, after }, &boundaries.run);
                number += 1;
            }
            if !boundaries.step() {
                break;
            }
        }
        quiet.wait(QUIET);
        for who in targets(&boundaries.run.sim, act) {
            self.place(schedule, number, Place { who, after: QUIET }, &quiet);
            number += 1;
        }
    }

    /// Tries one place of the next event, which is where `run` stands, unless it is left out.
    fn place(&mut self, schedule: &Schedule, number: u64, place: Place, run: &Run<'_>) {
        let (piece, pieces) = self.explorer.piece;
        let salt = schedule.salt();
        let second = schedule.places.len() == 1;
        let elsewhere = second && mix(salt ^ mix(number)) % pieces.max(1) != piece;
        if !elsewhere && salt.wrapping_add(number).is_multiple_of(self.explorer.every.max(1)) {
            self.branch(&schedule.then(place), run);
        }
    }

    fn judge(&mut self, schedule: &Schedule, run: Run<'_>) {
        let (violations, counters) = run.judge();
        self.found.schedules += 1;
        self.found.counters.add(&counters);
        if !violations.is_empty() {
            self.failed(schedule, violations);
        }
    }

    fn panicked(&mut self, schedule: &Schedule, detail: String) {
        self.failed(schedule, vec![Violation { at: Instant::ZERO, invariant: "panic", detail }]);
    }

    fn failed(&mut self, schedule: &Schedule, violations: Vec<Violation>) {
        self.found.failed += 1;
        if self.found.failures.len() < FAILURES {
            self.found.failures.push((schedule.clone(), violations));
        }
    }
}

/// A group that goes from one message to the next until it has been quiet for [`CALM`].
struct Boundaries<'a> {
    run: Run<'a>,
    /// What is to strike it.
    act: Act,
    /// Messages processed at the first boundary.
    first: u64,
    limit: Instant,
    /// The boundary before: when, and whom the event could strike.
    then: Option<Instant>,
    before: Vec<u32>,
}

impl<'a> Boundaries<'a> {
    fn new(explorer: &Explorer, run: Run<'a>, act: Act) -> Self {
        let (first, limit) = (run.sim.messages(), run.sim.now() + explorer.settle);
        Boundaries { run, act, first, limit, then: None, before: Vec::new() }
    }

    /// Messages processed since the first boundary.
    fn after(&self) -> u64 {
        self.run.sim.messages() - self.first
    }

    /// Whom the event can strike here and to another effect than at the boundary before.
    fn news(&mut self) -> Vec<u32> {
        let (sim, act) = (&self.run.sim, self.act);
        let moved = self.then.replace(sim.now()) != Some(sim.now());
        let who = targets(sim, act);
        let own = |n: u32| [Some(n), speaker(sim, act, n)].contains(&sim.receiver());
        let news = who.iter().copied().filter(|&n| moved || own(n) || !self.before.contains(&n)).collect();
        self.before = who;
        news
    }

    /// On to the next boundary, if there is one.
    fn step(&mut self) -> bool {
        let sim = &mut self.run.sim;
        sim.run_messages(1, self.limit.min(sim.last_activity() + CALM))
    }
}
