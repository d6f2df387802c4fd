//! Runs many seeds of a campaign: `campaign GROUP churn|all FROM TO [THREADS]`.

mod groups;

use groups::Group;
use tertulia_sim::campaign::{Faults, run_many};

const KINDS: [&str; 6] = ["calm", "churn", "lossy", "partitions", "freezes", "everything"];

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| args.get(i).and_then(|s| s.parse::<u64>().ok());
    let (Some(group), Some(kind), Some(from), Some(to)) = (args.first(), args.get(1), number(2), number(3))
    else {
        return Err(format!("usage: campaign GROUP {}|all FROM TO [THREADS]", KINDS.join("|")));
    };
    if from >= to || (kind != "all" && !KINDS.contains(&kind.as_str())) {
        return Err(format!(
            "nothing to run: a kind is one of {} or all, and FROM is less than TO",
            KINDS.join(", ")
        ));
    }
    let group: Group = group.parse()?;
    for name in KINDS.iter().filter(|&k| k == kind || (kind == "all" && *k != "calm")) {
        let faults = Faults::named(name).unwrap_or_default();
        let plan = |seed| group.plan(&faults, seed);
        let threads = number(4).unwrap_or(2) as usize;
        println!("{name}: {}", run_many(from..to, threads, &plan, &|seed, _| group.make(seed)));
    }
    Ok(())
}
