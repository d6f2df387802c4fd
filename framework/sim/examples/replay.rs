//! Replays one seed of a campaign and prints what happens: `replay ring|mesh churn 17 [frames]`.

use tertulia_core::topology::Topology;
use tertulia_sim::campaign::{Campaign, Faults, run_watched};
use tertulia_sim::conformance::FullMesh;
use tertulia_sim::invariants::ring_settled;
use tertulia_sim::tap::Transcript;
use tertulia_topologies::ring::{Config, RedundantConfig, build};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [topology, kind, seed, ..] = &args[..] else {
        println!("usage: replay ring|mesh calm|churn|lossy|partitions|freezes|everything SEED [frames]");
        return;
    };
    let seed: u64 = seed.parse().unwrap_or(0);
    let faults = Faults::named(kind).unwrap_or_default();
    let mut plan = Campaign::varied(&faults, seed);
    let ring = topology == "ring";
    if ring {
        plan.settled.push(ring_settled);
    }
    let make = |_| -> Box<dyn Topology> {
        match 1 + (seed / 3 % 4) as u8 {
            _ if !ring => Box::new(FullMesh::default()),
            1 => build(Config::default()),
            successors => build(RedundantConfig { successors, ..RedundantConfig::default() }),
        }
    };
    let transcript = Transcript { out: std::io::stdout(), frames: args.len() > 3 };
    let run = run_watched(&plan, seed, &make, Some(Box::new(transcript)));
    println!("{run}");
}
