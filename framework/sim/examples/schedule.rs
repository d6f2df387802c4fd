//! Replays one schedule of the explorer: `schedule ring1|ring2|mesh START JLF AFTER,AFTER SEED [frames]`.

use tertulia_core::topology::Topology;
use tertulia_sim::conformance::FullMesh;
use tertulia_sim::explore::{Act, Explorer, Schedule, run_watched};
use tertulia_sim::invariants::ring_settled;
use tertulia_sim::tap::Transcript;
use tertulia_topologies::ring::{Config, RedundantConfig, build};

fn schedule(args: &[String]) -> Option<Schedule> {
    let act = |c| match c {
        'J' => Some(Act::Join),
        'L' => Some(Act::Leave),
        'F' => Some(Act::Fail),
        _ => None,
    };
    Some(Schedule {
        start: args.first()?.parse().ok()?,
        acts: args.get(1)?.chars().map(act).collect::<Option<_>>()?,
        after: args.get(2)?.split(',').filter_map(|n| n.parse().ok()).collect(),
        seed: args.get(3)?.parse().ok()?,
    })
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((kind, Some(schedule))) = args.split_first().map(|(k, rest)| (k, schedule(rest))) else {
        println!("usage: schedule ring1|ring2|mesh START JLF AFTER,AFTER SEED [frames]");
        return;
    };
    let transcript = Transcript { out: std::io::stdout(), frames: args.len() > 5 };
    let mut explorer = Explorer::default();
    if kind != "mesh" {
        explorer.settled.push(ring_settled);
    }
    let make = |_, _| -> Box<dyn Topology> {
        match kind.as_str() {
            "ring1" => build(Config::default()),
            "ring2" => build(RedundantConfig { successors: 2, ..RedundantConfig::default() }),
            _ => Box::new(FullMesh::default()),
        }
    };
    let (violations, ..) = run_watched(&explorer, &schedule, &make, Some(Box::new(transcript)));
    violations.iter().for_each(|v| println!("{v}"));
}
