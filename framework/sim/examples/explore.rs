//! Explores small groups: `explore ring1|ring2|mesh STRIDE ROUNDS [THREADS]`.

use tertulia_core::topology::Topology;
use tertulia_sim::conformance::FullMesh;
use tertulia_sim::explore::{Explorer, explore};
use tertulia_sim::invariants::ring_settled;
use tertulia_topologies::ring::{Config, RedundantConfig, build};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| args.get(i).and_then(|s| s.parse::<u64>().ok());
    let (Some(kind), Some(stride), Some(rounds)) = (args.first(), number(1), number(2)) else {
        println!("usage: explore ring1|ring2|mesh STRIDE ROUNDS [THREADS]");
        return;
    };
    let mut explorer = Explorer { stride, rounds, ..Explorer::default() };
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
    println!("{}", explore(&explorer, number(3).unwrap_or(2) as usize, &make));
}
