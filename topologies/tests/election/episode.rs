//! Scenes: from a settled group, something happens; then all heals, and the group must agree again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tertulia_core::rng::NodeRng;
use tertulia_topologies::election::{Election, Settings};

use super::world::{Trap, World};

/// Episodes of one group.
const EPISODES: usize = 100;
/// How long a group may take to agree once nothing is wrong any more: four of the longest timeouts.
const SETTLE: Duration = Duration::from_secs(8);
/// How long it may be without a leader when a majority is there and nothing is lost on the way.
const STALL: Duration = Duration::from_secs(8);

type Scene = fn(&mut World, usize, &mut Report);

const SCENES: [(&str, Scene); 11] = [
    ("the leader crashes", leader_crashes),
    ("the leader is cut off", leader_cut_off),
    ("the leader is not heard", |w, l, r| one_way(w, l, r, true)),
    ("the leader hears nothing", |w, l, r| one_way(w, l, r, false)),
    ("halves", halves),
    ("the winner dies before it tells", |w, l, r| trapped(w, l, r, Trap::Won)),
    ("a candidate dies after it asked", |w, l, r| trapped(w, l, r, Trap::Asked)),
    ("a follower is away", away),
    ("a minority is down", minority_down),
    ("some leave, the leader first", leaves),
    ("everybody restarts now and then", restarts),
];

pub(crate) fn scenes() -> impl Iterator<Item = &'static str> {
    SCENES.iter().map(|(name, _)| *name)
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) groups: u64,
    pub(crate) elections: u64,
    pub(crate) longest_two: Duration,
    pub(crate) longest_stall: Duration,
    pub(crate) longest_settle: Duration,
    pub(crate) scenes: BTreeMap<&'static str, u64>,
    pub(crate) broken: Vec<String>,
}

impl Report {
    pub(crate) fn and(mut self, other: Report) -> Report {
        self.groups += other.groups;
        self.elections += other.elections;
        self.longest_two = self.longest_two.max(other.longest_two);
        self.longest_stall = self.longest_stall.max(other.longest_stall);
        self.longest_settle = self.longest_settle.max(other.longest_settle);
        for (scene, n) in other.scenes {
            *self.scenes.entry(scene).or_default() += n;
        }
        self.broken.extend(other.broken);
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} elections in {} groups; two leaders at once for {:?} at most; {:?} at most until a new one with a \
             majority there; settled after {:?} at most; {} broken",
            self.elections,
            self.groups,
            self.longest_two,
            self.longest_stall,
            self.longest_settle,
            self.broken.len()
        )?;
        self.scenes.iter().try_for_each(|(scene, n)| writeln!(f, "  {n:6} × {scene}"))
    }
}

/// Plays one group of 3 to 7 through its episodes.
pub(crate) fn run(settings: Settings, seed: u64) -> Report {
    let mut dice = NodeRng::fork(seed, 2);
    let n = 3 + dice.below(5);
    let mut world = World::new(settings, n, seed);
    let mut report = Report { groups: 1, ..Report::default() };
    for episode in 0..EPISODES {
        let (name, scene) = SCENES[dice.below(SCENES.len())];
        if let Some(leader) = settle(&mut world, &mut report) {
            world.loss = if dice.chance(0.5) { 0.3 * dice.unit() } else { 0.0 };
            scene(&mut world, leader, &mut report);
            *report.scenes.entry(name).or_default() += 1;
        }
        if !(report.broken.is_empty() && world.watch.broken.is_empty()) {
            world.watch.broke(format!("… in episode {episode} of seed {seed}: {name}, {n} members"));
            break;
        }
    }
    report.elections = world.watch.elections;
    report.longest_two = world.watch.longest_two;
    report.broken.append(&mut world.watch.broken);
    report
}

/// Heals everything and waits until all agree.
fn settle(world: &mut World, report: &mut Report) -> Option<usize> {
    (world.loss, world.trap, world.trapped) = (0.0, None, None);
    world.cut.clear();
    for node in 0..world.nodes.len() {
        world.come_back(node);
    }
    let start = world.now;
    if !world.run(SETTLE, |w| w.agreed().is_some()) {
        report.broken.push(format!("{}: no agreement", world.now));
        return None;
    }
    report.longest_settle = report.longest_settle.max(world.now.since(start));
    world.agreed()
}

/// Waits for a leader among those up other than `but`; a lossless network with a majority must have one soon.
fn elect(world: &mut World, report: &mut Report, but: usize) {
    let start = world.now;
    let leads = |w: &World| {
        let up = w.up();
        let mut elections = up.iter().filter(|&&n| n != but).filter_map(|&n| w.nodes[n].election.as_ref());
        elections.any(Election::is_leader)
    };
    let found = world.run(if world.loss > 0.0 { STALL * 4 } else { STALL }, leads);
    if !found {
        report.broken.push(format!(
            "{}: no leader since {start}, {:.0} % lost",
            world.now,
            world.loss * 100.0
        ));
    } else if world.loss == 0.0 {
        report.longest_stall = report.longest_stall.max(world.now.since(start));
    }
    let rest = Duration::from_millis(world.rng.below(1_500) as u64);
    world.run(rest, |_| false);
}

fn leader_crashes(world: &mut World, leader: usize, report: &mut Report) {
    world.crash(leader);
    elect(world, report, leader);
    // Now and then it stays away until it counts as dead, and the list shrinks.
    if world.rng.chance(0.3) {
        world.set_present(leader, false);
        world.run(Duration::from_secs(2), |_| false);
    }
}

fn cut_off(world: &mut World, node: usize, heard: bool, hears: bool) {
    for other in (0..world.nodes.len()).filter(|&n| n != node) {
        if !heard {
            world.cut.insert((node, other));
        }
        if !hears {
            world.cut.insert((other, node));
        }
    }
}

fn leader_cut_off(world: &mut World, leader: usize, report: &mut Report) {
    cut_off(world, leader, false, false);
    elect(world, report, leader);
}

fn one_way(world: &mut World, leader: usize, report: &mut Report, hears: bool) {
    cut_off(world, leader, !hears, hears);
    elect(world, report, leader);
}

fn halves(world: &mut World, _: usize, _: &mut Report) {
    let n = world.nodes.len();
    let side: Vec<bool> = (0..n).map(|_| world.rng.chance(0.5)).collect();
    let one_way = world.rng.chance(0.3);
    for a in 0..n {
        for b in (0..n).filter(|&b| side[a] && !side[b]) {
            world.cut.insert((a, b));
            if !one_way {
                world.cut.insert((b, a));
            }
        }
    }
    let span = Duration::from_millis(1_000 + world.rng.below(5_000) as u64);
    world.run(span, |_| false);
}

fn trapped(world: &mut World, leader: usize, report: &mut Report, trap: Trap) {
    if world.nodes.len() < 5 {
        return leader_crashes(world, leader, report);
    }
    world.crash(leader);
    world.trap = Some(trap);
    world.run(STALL * 4, |w| w.trapped.is_some());
    match world.trapped {
        Some(dead) => elect(world, report, dead),
        None => report.broken.push(format!("{}: nobody stood", world.now)),
    }
}

/// A follower that was cut off and comes back changes neither leader nor term.
fn away(world: &mut World, _: usize, report: &mut Report) {
    world.loss = 0.0;
    // Requests of the scene before may still be on their way.
    world.run(Duration::from_millis(500), |_| false);
    let Some(leader) = world.agreed() else { return };
    let ballot = |w: &World| w.nodes[leader].election.as_ref().map(Election::ballot);
    let before = ballot(world);
    let follower = (leader + 1) % world.nodes.len();
    let (heard, hears) = [(false, false), (true, false), (false, true)][world.rng.below(3)];
    cut_off(world, follower, heard, hears);
    let span = Duration::from_millis(2_000 + world.rng.below(8_000) as u64);
    world.run(span, |_| false);
    world.cut.clear();
    world.run(Duration::from_secs(3), |_| false);
    let leads = world.nodes[leader].election.as_ref().is_some_and(Election::is_leader);
    if ballot(world) != before || !leads {
        report.broken.push(format!("{}: {follower} came back and {before:?} is gone", world.now));
    }
}

fn minority_down(world: &mut World, leader: usize, report: &mut Report) {
    let n = world.nodes.len();
    for node in (0..(n - 1) / 2).map(|i| (leader + i) % n) {
        world.crash(node);
    }
    elect(world, report, leader);
}

fn leaves(world: &mut World, leader: usize, report: &mut Report) {
    let n = world.nodes.len();
    let going = 1 + world.rng.below(n - 2);
    for i in 0..going {
        world.leave((leader + i) % n);
        let pause = Duration::from_millis(world.rng.below(200) as u64);
        world.run(pause, |_| false);
    }
    elect(world, report, n);
}

fn restarts(world: &mut World, _: usize, _: &mut Report) {
    for _ in 0..20 {
        let node = world.rng.below(world.nodes.len());
        world.crash(node);
        let down = Duration::from_millis(world.rng.below(400) as u64);
        world.run(down, |_| false);
        world.start(node);
        let pause = Duration::from_millis(world.rng.below(800) as u64);
        world.run(pause, |_| false);
    }
}
