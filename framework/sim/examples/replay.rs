//! Replays one run and prints what happens: a seed of a campaign, `replay GROUP churn 17 [MEMBERS] [frames]`, or a
//! schedule of the explorer as it names it, `replay ring1 '3/17 JF 0@- 2@18' [frames]`.

mod groups;

use groups::Group;
use tertulia_sim::campaign::{self, Campaign, Faults};
use tertulia_sim::explore::run_schedule;
use tertulia_sim::tap::Transcript;

const USAGE: &str =
    "usage: replay GROUP calm|churn|lossy|partitions|freezes|everything SEED [MEMBERS] [frames]
       replay GROUP SCHEDULE [frames]";

fn main() -> Result<(), String> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let frames = args.pop_if(|last| last == "frames").is_some();
    let watch = Some(Box::new(Transcript { out: std::io::stdout(), frames }) as _);
    match &args[..] {
        [group, schedule] => {
            let group: Group = group.parse()?;
            let schedule = schedule.parse().map_err(|e| format!("{e}"))?;
            let make = |seed, _| group.make(seed);
            let (violations, _) = run_schedule(&group.explorer(1), &schedule, &make, watch);
            violations.iter().for_each(|v| println!("{v}"));
        }
        [group, kind, seed, most @ ..] if most.len() < 2 => {
            let group: Group = group.parse()?;
            let seed: u64 = seed.parse().map_err(|e| format!("{seed}: {e}"))?;
            let plan = group.plan(&Faults::named(kind).unwrap_or_default(), seed);
            let most = most.first().map_or(Ok(u32::MAX), |n| n.parse().map_err(|e| format!("{n}: {e}")))?;
            let plan = Campaign { nodes: plan.nodes.min(most), ..plan };
            println!("{}", campaign::run_watched(&plan, seed, &|_| group.make(seed), watch));
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
