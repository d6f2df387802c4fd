//! Replays one seed of a campaign over the full mesh and prints what happens: `replay churn 17 [frames]`.

use tertulia_sim::campaign::{Campaign, Faults, run_watched};
use tertulia_sim::conformance::FullMesh;
use tertulia_sim::tap::Transcript;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (Some(kind), Some(seed)) = (args.first(), args.get(1).and_then(|s| s.parse().ok())) else {
        println!("usage: replay calm|churn|lossy|partitions|freezes|everything SEED [frames]");
        return;
    };
    let faults = match kind.as_str() {
        "churn" => Faults::churn(),
        "lossy" => Faults::lossy(),
        "partitions" => Faults::partitions(),
        "freezes" => Faults::freezes(),
        "everything" => Faults::everything(),
        _ => Faults::default(),
    };
    let plan = Campaign { nodes: 3 + (seed % 8) as u32, faults, ..Campaign::default() };
    let transcript = Transcript { out: std::io::stdout(), frames: args.len() > 2 };
    let run = run_watched(&plan, seed, &|_| Box::new(FullMesh::default()), Some(Box::new(transcript)));
    println!("{run}");
}
