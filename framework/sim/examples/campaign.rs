//! Runs many seeds of a campaign: `campaign ring|mesh churn|all FROM TO [THREADS]`.

use tertulia_core::topology::Topology;
use tertulia_sim::campaign::{Campaign, Faults, run_many};
use tertulia_sim::conformance::FullMesh;
use tertulia_sim::invariants::ring_settled;
use tertulia_topologies::ring::{Config, RedundantConfig, build};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| args.get(i).and_then(|s| s.parse::<u64>().ok());
    let (Some(topology), Some(kind), Some(from), Some(to)) =
        (args.first(), args.get(1), number(2), number(3))
    else {
        println!(
            "usage: campaign ring|mesh calm|churn|lossy|partitions|freezes|everything|all FROM TO [THREADS]"
        );
        return;
    };
    let ring = topology == "ring";
    let make = |seed: u64, _| -> Box<dyn Topology> {
        match 1 + (seed / 3 % 4) as u8 {
            _ if !ring => Box::new(FullMesh::default()),
            1 => build(Config::default()),
            successors => build(RedundantConfig { successors, ..RedundantConfig::default() }),
        }
    };
    let all = ["churn", "lossy", "partitions", "freezes", "everything"];
    let kinds = if kind == "all" {
        &all[..]
    } else {
        std::slice::from_ref(&all[all.iter().position(|k| k == kind).unwrap_or(4)])
    };
    for kind in kinds {
        let faults = Faults::named(kind).unwrap_or_default();
        let plan = |seed| {
            let mut plan = Campaign::varied(&faults, seed);
            if ring {
                plan.settled.push(ring_settled);
            }
            plan
        };
        println!("{kind}: {}", run_many(from..to, number(4).unwrap_or(2) as usize, &plan, &make));
    }
}
