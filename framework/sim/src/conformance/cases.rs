//! The cases of the topology suite.

use std::time::Duration;

use tertulia_core::frame::{Frame, FrameKind, Lane};
use tertulia_core::rng::NodeRng;
use tertulia_core::topology::Topology;

use super::topology::Options;
use crate::campaign::{Campaign, Faults, check, payload, run_one};
use crate::oracle::{Expect, Violation};
use crate::sim::{Sim, SimConfig, Status};

pub(super) type Outcome = Result<String, String>;
type Build<'a> = &'a dyn Fn(u32) -> Box<dyn Topology>;
type Case = fn(Build<'_>, &Options) -> Outcome;

/// All cases, by name.
pub(super) const ALL: [(&str, Case); 15] = [
    ("view", view),
    ("alone", alone),
    ("joins in turn", joins_in_turn),
    ("joins at once", joins_at_once),
    ("one nick for all", same_nick),
    ("broadcast", broadcast),
    ("leaves", leaves),
    ("quiet", quiet),
    ("loss", |make, options| campaign(make, options, Faults::lossy())),
    ("churn", |make, options| campaign(make, options, Faults::churn())),
    ("partition", |make, options| campaign(make, options, Faults::partitions())),
    ("frozen", |make, options| campaign(make, options, Faults::freezes())),
    ("garbage", garbage),
    ("spurious deadlines", spurious),
    ("determinism", determinism),
];

const STEP: Duration = Duration::from_millis(100);

/// The first things that were broken, in a line.
fn explain(violations: &[Violation]) -> String {
    let first: Vec<String> = violations.iter().take(3).map(ToString::to_string).collect();
    format!("{} ({} in all)", first.join("; "), violations.len())
}

fn settled(sim: &Sim<'_>, options: &Options) -> Vec<Violation> {
    let mut violations = Vec::new();
    check(sim, &options.settled, &mut violations);
    let correct: Vec<u32> = sim.members().collect();
    violations.extend(sim.oracle().judge(sim.now(), &correct, &Expect::default()).violations);
    violations
}

/// Waits until the group has settled; how long that took, or what is still wrong.
fn settle(sim: &mut Sim<'_>, options: &Options) -> Result<Duration, String> {
    let start = sim.now();
    let gone = |sim: &Sim<'_>| sim.running().iter().all(|&n| sim.leaving_since(n).is_none());
    sim.run_while(STEP, options.settle, |sim| gone(sim) && settled(sim, options).is_empty());
    match settled(sim, options) {
        broken if broken.is_empty() && gone(sim) => Ok(sim.now().since(start)),
        broken if broken.is_empty() => Err("leaving does not end".into()),
        broken => Err(explain(&broken)),
    }
}

/// A settled group of `n`.
fn group<'a>(make: Build<'a>, config: SimConfig, n: u32, options: &Options) -> Result<Sim<'a>, String> {
    let mut sim = Sim::new(config, make);
    let founder = sim.found();
    sim.join_many(n - 1, &[founder]);
    settle(&mut sim, options)?;
    Ok(sim)
}

/// Everybody says something; everybody else has it within `limit`.
fn all_speak(sim: &mut Sim<'_>, limit: Duration) -> Outcome {
    let start = sim.now();
    for n in sim.members().collect::<Vec<_>>() {
        let bytes = payload(sim.rng(), 100);
        sim.publish(n, None, bytes).map_err(|e| format!("n{n} cannot publish: {e:?}"))?;
    }
    sim.run_for(Duration::from_millis(1));
    let heard = |sim: &Sim<'_>| {
        let correct: Vec<u32> = sim.members().collect();
        let busy = correct.iter().any(|&n| sim.is_publishing(n));
        !busy && sim.oracle().is_complete(sim.now(), &correct, &Expect::default())
    };
    if sim.run_while(Duration::from_millis(10), limit, heard) {
        return Ok(format!("after {:?}", sim.now().since(start)));
    }
    let correct: Vec<u32> = sim.members().collect();
    Err(explain(&sim.oracle().judge(sim.now(), &correct, &Expect::default()).violations))
}

fn view(make: Build<'_>, options: &Options) -> Outcome {
    let sim = group(make, options.sim.clone(), 3.min(options.nodes), options)?;
    let kind = make(0).kind();
    for n in sim.members() {
        let Some(engine) = sim.engine(n) else { continue };
        let view = engine.view();
        if view.kind != kind || kind.is_empty() {
            return Err(format!("kind() says `{kind}`, the view of n{n} `{}`", view.kind));
        }
        let slots = engine.peers().slots();
        let named = view.nodes.iter().map(|(p, _)| p).chain(&view.neighbours).chain(&view.leader);
        if let Some(p) = named.chain(view.links.iter().flat_map(|(a, b)| [a, b])).find(|p| p.index() >= slots)
        {
            return Err(format!("the view of n{n} names {p:?}, of whom nothing is known"));
        }
    }
    Ok(kind.into())
}

fn alone(make: Build<'_>, options: &Options) -> Outcome {
    let mut sim = group(make, options.sim.clone(), 1, options)?;
    sim.publish(0, None, payload(&mut NodeRng::new(1), 10)).map_err(|e| format!("{e:?}"))?;
    sim.run_for(Duration::from_secs(30));
    sim.leave(0);
    sim.run_while(STEP, Duration::from_secs(20), |sim| sim.status(0) == Status::Left);
    if sim.status(0) == Status::Left { Ok("left".into()) } else { Err("cannot leave".into()) }
}

fn joins_in_turn(make: Build<'_>, options: &Options) -> Outcome {
    let mut sim = group(make, options.sim.clone(), 1, options)?;
    let mut longest = Duration::ZERO;
    for n in 1..options.nodes {
        let contact = sim.rng().below(n as usize) as u32;
        let new = sim.join(&[contact]);
        let took = settle(&mut sim, options).map_err(|e| format!("n{new} through n{contact}: {e}"))?;
        longest = longest.max(took);
    }
    all_speak(&mut sim, options.settle)?;
    Ok(format!("{longest:?} at most"))
}

fn joins_at_once(make: Build<'_>, options: &Options) -> Outcome {
    let mut sim = group(make, options.sim.clone(), options.nodes, options)?;
    all_speak(&mut sim, options.settle)
}

fn same_nick(make: Build<'_>, options: &Options) -> Outcome {
    let config = SimConfig { same_nick: true, ..options.sim.clone() };
    let mut sim = group(make, config, options.nodes, options)?;
    all_speak(&mut sim, options.settle)
}

fn broadcast(make: Build<'_>, options: &Options) -> Outcome {
    let calm = Faults::default();
    campaign(make, options, calm)
}

fn leaves(make: Build<'_>, options: &Options) -> Outcome {
    let mut sim = group(make, options.sim.clone(), options.nodes.max(4), options)?;
    // The founder goes first; then half of the others, two at a time, with something said just before.
    let first_half: Vec<u32> = (0..sim.len() / 2).collect();
    let (founder, others) = first_half.split_at(1);
    for who in std::iter::once(founder).chain(others.chunks(2)) {
        for &n in who {
            let bytes = payload(sim.rng(), 50);
            let _ = sim.publish(n, None, bytes);
            sim.leave(n);
        }
        settle(&mut sim, options).map_err(|e| format!("after {who:?} left: {e}"))?;
    }
    all_speak(&mut sim, options.settle)
}

fn quiet(make: Build<'_>, options: &Options) -> Outcome {
    let mut sim = group(make, options.sim.clone(), options.nodes, options)?;
    sim.run_for(Duration::from_secs(300));
    let idle = settled(&sim, options);
    if !idle.is_empty() {
        return Err(format!("after five quiet minutes: {}", explain(&idle)));
    }
    all_speak(&mut sim, Duration::from_secs(5))
}

fn campaign(make: Build<'_>, options: &Options, faults: Faults) -> Outcome {
    let plan = Campaign {
        nodes: options.nodes,
        sim: options.sim.clone(),
        faults,
        settle: options.settle,
        settled: options.settled.clone(),
        ..Campaign::default()
    };
    let mut counters = crate::counters::Counters::default();
    let mut pairs = 0;
    for seed in options.sim.seed..options.sim.seed + options.seeds {
        let run = run_one(&plan, seed, make);
        if !run.is_clean() {
            return Err(format!("seed {seed}: {}", explain(&run.violations)));
        }
        pairs += run.verdict.tally.delivered;
        counters.add(&run.counters);
    }
    let faults: u64 = counters.faults.values().sum();
    Ok(format!("{pairs} deliveries, {faults} faults, {} repairs", counters.repairs))
}

/// Frames of the topology's own kind that no honest neighbour sends.
fn garbage(make: Build<'_>, options: &Options) -> Outcome {
    let mut sim = group(make, options.sim.clone(), options.nodes, options)?;
    let mut rng = NodeRng::fork(options.sim.seed, 21);
    for _ in 0..200 {
        let members: Vec<u32> = sim.members().collect();
        let Some(&from) = rng.pick(&members) else { break };
        let linked: Vec<u32> = sim.linked(from).collect();
        if let Some(&to) = rng.pick(&linked) {
            let size = if rng.chance(0.1) { rng.below(60_000) } else { rng.below(64) };
            let mut body = payload(&mut rng, size + 8).split_to(size).to_vec();
            // A known code in front gets further than noise does.
            if let Some(code) = body.first_mut()
                && rng.chance(0.7)
            {
                *code = rng.below(24) as u8;
            }
            sim.inject(from, to, Lane::Control, Frame::new(FrameKind::Topology, body.into()));
        }
        sim.run_for(Duration::from_millis(50));
    }
    let took = settle(&mut sim, options)?;
    all_speak(&mut sim, options.settle)?;
    Ok(format!("{} frames, settled after {took:?}", sim.counters().faults_of("inject")))
}

fn spurious(make: Build<'_>, options: &Options) -> Outcome {
    let mut sim = Sim::new(options.sim.clone(), make);
    let founder = sim.found();
    sim.join_many(options.nodes - 1, &[founder]);
    for _ in 0..2_000 {
        sim.run_for(Duration::from_millis(5));
        (0..sim.len()).for_each(|n| sim.nudge(n));
    }
    settle(&mut sim, options)?;
    all_speak(&mut sim, options.settle)
}

fn determinism(make: Build<'_>, options: &Options) -> Outcome {
    let plan = Campaign {
        nodes: options.nodes,
        sim: options.sim.clone(),
        faults: Faults::everything(),
        duration: Duration::from_secs(10),
        settle: Duration::from_secs(5),
        settled: options.settled.clone(),
        ..Campaign::default()
    };
    let seed = options.sim.seed;
    let [a, b, c] = [seed, seed, seed + 1].map(|seed| run_one(&plan, seed, make).trace_hash);
    match (a == b, a == c) {
        (false, _) => Err(format!("one seed, two runs: {a:016x} and {b:016x}")),
        (_, true) => Err("another seed, the same run".into()),
        _ => Ok(format!("{a:016x}")),
    }
}
