//! Replays one schedule of the explorer over the full mesh: `schedule START JLF AFTER,AFTER SEED [frames]`.

use tertulia_sim::conformance::FullMesh;
use tertulia_sim::explore::{Act, Explorer, Schedule, run_watched};
use tertulia_sim::tap::Transcript;

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
    let Some(schedule) = schedule(&args) else {
        println!("usage: schedule START JLF AFTER,AFTER SEED [frames]");
        return;
    };
    let transcript = Transcript { out: std::io::stdout(), frames: args.len() > 4 };
    let explorer = Explorer::default();
    let build: tertulia_sim::campaign::Topologies<'_> = &|_, _| Box::new(FullMesh::default());
    let (violations, ..) = run_watched(&explorer, &schedule, build, Some(Box::new(transcript)));
    violations.iter().for_each(|v| println!("{v}"));
}
