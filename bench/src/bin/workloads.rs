//! W1 and W2 over a Tertulia group and over plain TCP, one JSON line per run.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Map, Value, json};
use tertulia_bench::board::{Board, SMALLEST};
use tertulia_bench::group::{Group, Shape};
use tertulia_bench::raw::Raw;
use tertulia_bench::workload::{Failure, Plan, run};
use tertulia_core::config::EngineConfig;

/// Measures a group beside the raw baseline, in one run and in turn.
#[derive(Debug, Parser)]
#[command(name = "workloads", version)]
struct Args {
    /// w1: one publisher, one receiver; w2: everybody to everybody.
    #[arg(value_parser = ["w1", "w2"])]
    workload: String,
    /// Nodes; w1 always has two.
    #[arg(long, default_value_t = 16)]
    n: usize,
    /// Bytes of a payload; 1024 for w1 and 256 for w2 unless said.
    #[arg(long)]
    size: Option<usize>,
    /// Seconds of publishing.
    #[arg(long, default_value_t = 3.0)]
    secs: f64,
    /// Messages per second and publisher; 0: as fast as they are taken.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// The group's topology.
    #[arg(long, default_value = "ring")]
    topology: String,
    /// The group's transport.
    #[arg(long, default_value = "tcp")]
    transport: String,
    /// The group's crypto.
    #[arg(long, default_value = "noise")]
    crypto: String,
    /// Pairs of runs; the last line gives the medians.
    #[arg(long, default_value_t = 3)]
    reps: u32,
    /// Which side to run; `both` compares.
    #[arg(long, default_value = "both", value_parser = ["both", "raw", "tertulia"])]
    only: String,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

async fn measure(args: &Args) -> Result<bool, Failure> {
    let w1 = args.workload == "w1";
    let plan = Plan {
        workload: if w1 { "w1" } else { "w2" },
        n: if w1 { 2 } else { args.n },
        size: args.size.unwrap_or(if w1 { 1024 } else { 256 }),
        publish: Duration::from_secs_f64(args.secs),
        rate: args.rate,
    };
    if plan.size < SMALLEST || plan.n < 2 {
        return Err(format!("a payload has at least {SMALLEST} bytes, and a run two nodes").into());
    }
    let shape = Shape {
        topology: args.topology.clone(),
        transport: args.transport.clone(),
        crypto: args.crypto.clone(),
        config: EngineConfig::default(),
    };
    let (mut sound, mut rates) = (true, [Vec::new(), Vec::new()]);
    for rep in 0..args.reps {
        if args.only != "tertulia" {
            let board = Board::new(plan.n, plan.size);
            let raw = Raw::start(plan.n, &board).await?;
            let figures = run(std::sync::Arc::new(raw), board, plan.clone()).await;
            sound &= print(figures, rep, "full", "tcp", "none", &mut rates[0]);
        }
        if args.only != "raw" {
            let board = Board::new(plan.n, plan.size);
            let group = std::sync::Arc::new(Group::start(plan.n, &shape, &board).await?);
            let figures = run(group.clone(), board, plan.clone()).await;
            sound &= print(figures, rep, &args.topology, &args.transport, &args.crypto, &mut rates[1]);
            group.end().await;
        }
    }
    let [raw, group] = rates.map(median);
    if raw > 0.0 && group > 0.0 {
        let summary = json!({
            "workload": plan.workload, "n": plan.n, "size": plan.size, "fan_out": plan.n - 1,
            "acknowledged": true, "crypto": args.crypto, "topology": args.topology,
            "raw_msgs_per_s": raw, "tertulia_msgs_per_s": group,
            "ratio": (group / raw * 1e3).round() / 1e3,
        });
        println!("{}", json!({ "summary": summary }));
    }
    Ok(sound)
}

/// Prints a run; true when everything arrived once, whole and in order.
fn print(
    mut figures: Map<String, Value>,
    rep: u32,
    topo: &str,
    transport: &str,
    crypto: &str,
    rates: &mut Vec<f64>,
) -> bool {
    for (key, value) in
        [("rep", json!(rep)), ("topo", json!(topo)), ("variant", json!(transport)), ("crypto", json!(crypto))]
    {
        figures.insert(key.into(), value);
    }
    rates.extend(figures.get("msgs_per_s").and_then(Value::as_f64));
    let none = |key: &str| figures.get(key).and_then(Value::as_u64) == Some(0);
    let sound = ["lost", "duplicates", "corrupt", "reordered"].into_iter().all(none);
    println!("{}", Value::Object(figures));
    sound
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("no runtime: {e}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(measure(&args)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("not everything arrived once, whole and in order: see the lines above");
            ExitCode::FAILURE
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}
