//! Runs many seeds of a campaign: `campaign GROUP churn|all FROM TO [THREADS [MEMBERS]]`, of 3 to 64 members, or as many
//! at most as said.

mod groups;

use groups::Group;
use tertulia_sim::campaign::{Campaign, Faults, run_many};

const KINDS: [&str; 6] = ["calm", "churn", "lossy", "partitions", "freezes", "everything"];

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| args.get(i).and_then(|s| s.parse::<u64>().ok());
    let (Some(group), Some(kind), Some(from), Some(to)) = (args.first(), args.get(1), number(2), number(3))
    else {
        return Err(format!("usage: campaign GROUP {}|all FROM TO [THREADS [MEMBERS]]", KINDS.join("|")));
    };
    if from >= to || (kind != "all" && !KINDS.contains(&kind.as_str())) {
        return Err(format!(
            "nothing to run: a kind is one of {} or all, and FROM is less than TO",
            KINDS.join(", ")
        ));
    }
    let group: Group = group.parse()?;
    let most = number(5).and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX);
    for name in KINDS.iter().filter(|&k| k == kind || (kind == "all" && *k != "calm")) {
        let faults = Faults::named(name).unwrap_or_default();
        let plan = |seed| {
            let plan = group.plan(&faults, seed);
            Campaign { nodes: plan.nodes.min(most), ..plan }
        };
        let threads = number(4).unwrap_or(2) as usize;
        println!("{name}: {}", run_many(from..to, threads, &plan, &|seed, _| group.make(seed)));
    }
    Ok(())
}
