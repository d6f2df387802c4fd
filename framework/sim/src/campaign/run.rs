//! One run of a campaign.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tertulia_core::rng::NodeRng;
use tertulia_core::time::Instant;

use super::Campaign;
use super::faults::Trouble;
use crate::counters::Counters;
use crate::invariants::Invariant;
use crate::network::Network;
use crate::oracle::{Verdict, Violation};
use crate::planted::Plant;
use crate::sim::{Make, Sim};
use crate::tap::Watch;

/// How long a group may take to form.
const FORM: Duration = Duration::from_secs(60);
/// How often a settling group is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long one more message may take once all has settled.
const LAST_WORD: Duration = Duration::from_secs(10);

/// What one run showed.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// Its seed: the same campaign and seed give the same run.
    pub seed: u64,
    /// Over every event.
    pub trace_hash: u64,
    /// How long the run was by its own clock.
    pub virtual_time: Duration,
    /// How long the group took to settle, when it did.
    pub settled_after: Option<Duration>,
    /// What was done and sent.
    pub counters: Counters,
    /// What became of the messages.
    pub verdict: Verdict,
    /// Everything that was broken: messages and invariants.
    pub violations: Vec<Violation>,
}

impl RunReport {
    /// True when nothing was broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} (trace {:016x}): {}", self.seed, self.trace_hash, self.verdict.tally)?;
        writeln!(f, "  {}", self.counters)?;
        for violation in self.violations.iter().take(12) {
            writeln!(f, "  {violation}")?;
        }
        match self.violations.len() {
            0 => Ok(()),
            n => writeln!(f, "  {n} violations; replay with seed {}", self.seed),
        }
    }
}

/// Runs a campaign with one seed.
#[must_use]
pub fn run_one(campaign: &Campaign, seed: u64, make: Make<'_>) -> RunReport {
    run_watched(campaign, seed, make, None)
}

/// The same, watched: for a transcript of a run that failed, say.
#[must_use]
pub fn run_watched(
    campaign: &Campaign,
    seed: u64,
    make: Make<'_>,
    watch: Option<Box<dyn Watch>>,
) -> RunReport {
    let mut sim = Sim::new(campaign.sim.seeded(seed), make);
    sim.set_watch(watch);
    if let Some(plant) = campaign.plant {
        plant.sow(&mut sim, seed);
    }
    let mut violations = Vec::new();
    form(&mut sim, campaign, &mut violations);
    disturb(&mut sim, campaign, seed, &mut violations);
    let began = sim.now();
    let settled = sim.run_while(LOOK, campaign.settle, |sim| is_settled(sim, campaign));
    let settled_after = settled.then(|| sim.now().since(began));
    if settled {
        last_word(&mut sim, campaign, &mut violations);
        // A suspicion in passing is no harm; it must not last.
        sim.run_while(LOOK, LAST_WORD, |sim| is_settled(sim, campaign));
    }
    check(&sim, &campaign.settled, &mut violations);
    let verdict = judge(&sim, campaign);
    violations.extend(verdict.violations.iter().cloned());
    RunReport {
        seed,
        trace_hash: sim.trace_hash(),
        virtual_time: sim.now().since(Instant::ZERO),
        settled_after,
        counters: sim.counters().clone(),
        verdict,
        violations,
    }
}

/// The same, where a panic of an engine or a plug-in becomes a violation.
#[must_use]
pub fn run_guarded(campaign: &Campaign, seed: u64, make: Make<'_>) -> RunReport {
    guard(|| run_one(campaign, seed, make)).unwrap_or_else(|detail| RunReport {
        seed,
        trace_hash: 0,
        virtual_time: Duration::ZERO,
        settled_after: None,
        counters: Counters::default(),
        verdict: Verdict::default(),
        violations: vec![Violation { at: Instant::ZERO, invariant: "panic", detail }],
    })
}

/// Calls what may panic; the panic's message when it did.
pub(crate) fn guard<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).map_err(|what| {
        let text = what.downcast_ref::<&str>().map(|s| (*s).to_owned());
        text.or_else(|| what.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".into())
    })
}

fn form(sim: &mut Sim<'_>, campaign: &Campaign, violations: &mut Vec<Violation>) {
    let founder = sim.found();
    sim.join_many(campaign.nodes.saturating_sub(1), &[founder]);
    if !sim.run_while(LOOK, FORM, Sim::all_ready) {
        let missing = sim.members().filter(|&n| sim.ready_at(n).is_none()).count();
        let detail = format!("{missing} of {} are no members after {FORM:?}", campaign.nodes);
        violations.push(Violation { at: sim.now(), invariant: "form", detail });
    }
}

/// Messages flow while things go wrong; in the end nothing does any more.
fn disturb(sim: &mut Sim<'_>, campaign: &Campaign, seed: u64, violations: &mut Vec<Violation>) {
    let faults = &campaign.faults;
    let calm = sim.network().clone();
    if faults.loss + faults.duplicate + faults.reorder > 0.0 {
        let (loss, duplicate, reorder) = (faults.loss, faults.duplicate, faults.reorder);
        sim.set_network(Network { loss, duplicate, reorder, ..calm });
    }
    let start = sim.now();
    let end = start + campaign.duration;
    let same = campaign.plant == Some(Plant::SameIncarnation);
    let mut trouble = Trouble::new(faults, seed, start, same);
    let mut work = NodeRng::fork(seed, 8);
    let gap = Duration::from_secs_f64(1.0 / campaign.rate.max(1e-3));
    let mut next = start + gap;
    while sim.now() < end {
        let at = next.min(trouble.due()).min(end);
        sim.run_until(at);
        if at >= next {
            next += gap;
            speak(sim, campaign, &mut work);
        }
        if at >= trouble.due() {
            trouble.strike(sim);
            check(sim, &campaign.always, violations);
        }
    }
    trouble.end(sim);
}

/// Somebody says something, to all or to one; now and then several things at once.
fn speak(sim: &mut Sim<'_>, campaign: &Campaign, rng: &mut NodeRng) {
    let ready: Vec<u32> = sim.members().filter(|&n| sim.ready_at(n).is_some()).collect();
    let Some(&from) = rng.pick(&ready) else { return };
    let to =
        if rng.chance(campaign.direct) { rng.pick(&ready).copied().filter(|&t| t != from) } else { None };
    let burst = if rng.chance(0.1) { 1 + rng.below(5) } else { 1 };
    for _ in 0..burst {
        let size = campaign.size.0 + rng.below(campaign.size.1.saturating_sub(campaign.size.0) + 1);
        let _ = sim.publish(from, to, payload(rng, size));
    }
}

/// Bytes that nobody else publishes.
#[must_use]
pub(crate) fn payload(rng: &mut NodeRng, size: usize) -> Bytes {
    let mut bytes = vec![0u8; size.max(8)];
    for chunk in bytes.chunks_mut(8) {
        let word = rng.next_u64().to_le_bytes();
        chunk.iter_mut().zip(word).for_each(|(b, w)| *b = w);
    }
    Bytes::from(bytes)
}

fn correct(sim: &Sim<'_>) -> Vec<u32> {
    sim.members().collect()
}

pub(crate) fn check(sim: &Sim<'_>, invariants: &[Invariant], violations: &mut Vec<Violation>) {
    invariants.iter().for_each(|i| i(sim, violations));
}

fn judge(sim: &Sim<'_>, campaign: &Campaign) -> Verdict {
    sim.oracle().judge(sim.now(), &correct(sim), &campaign.expect)
}

fn is_settled(sim: &Sim<'_>, campaign: &Campaign) -> bool {
    let mut violations = Vec::new();
    let busy = sim.running().iter().any(|&n| sim.is_publishing(n) || sim.leaving_since(n).is_some());
    if busy || !sim.all_ready() {
        return false;
    }
    check(sim, &campaign.settled, &mut violations);
    violations.is_empty() && judge(sim, campaign).tally.lost == 0
}

/// Once all is well, everybody says one more thing, and everybody hears it soon.
fn last_word(sim: &mut Sim<'_>, campaign: &Campaign, violations: &mut Vec<Violation>) {
    for n in correct(sim) {
        let bytes = payload(sim.rng(), 32);
        if let Err(why) = sim.publish(n, None, bytes) {
            let detail = format!("n{n} cannot publish once all has settled: {why:?}");
            violations.push(Violation { at: sim.now(), invariant: "last-word", detail });
        }
    }
    let heard = |sim: &Sim<'_>| {
        let waiting = sim.members().any(|n| sim.is_publishing(n));
        !waiting && judge(sim, campaign).tally.lost == 0
    };
    sim.run_for(LOOK);
    if !sim.run_while(LOOK, LAST_WORD, heard) {
        let detail = format!("not everybody heard it within {LAST_WORD:?}");
        violations.push(Violation { at: sim.now(), invariant: "last-word", detail });
    }
}
