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
    /// Measures latency as well: runs once more, paced at this share of what each side reached.
    #[arg(long, default_value_t = 0.0)]
    load: f64,
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

/// What one side did, run by run.
#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    p99: Vec<f64>,
}

/// Both sides of a comparison, and whether everything arrived.
#[derive(Default)]
struct Outcome {
    raw: Side,
    group: Side,
    unsound: bool,
}

impl Args {
    fn plan(&self) -> Result<Plan, Failure> {
        let w1 = self.workload == "w1";
        let plan = Plan {
            workload: if w1 { "w1" } else { "w2" },
            n: if w1 { 2 } else { self.n },
            size: self.size.unwrap_or(if w1 { 1024 } else { 256 }),
            publish: Duration::from_secs_f64(self.secs),
            rate: self.rate,
        };
        if plan.size < SMALLEST || plan.n < 2 {
            return Err(format!("a payload has at least {SMALLEST} bytes, and a run two nodes").into());
        }
        Ok(plan)
    }

    fn shape(&self) -> Shape {
        Shape {
            topology: self.topology.clone(),
            transport: self.transport.clone(),
            crypto: self.crypto.clone(),
            config: EngineConfig::default(),
        }
    }

    /// Runs both sides in turn; `raw` and `group` are the rates at which they publish, 0 for unpaced.
    async fn runs(&self, plan: &Plan, raw: f64, group: f64) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        for rep in 0..self.reps {
            if self.only != "tertulia" {
                let plan = Plan { rate: raw, ..plan.clone() };
                let board = Board::new(plan.n, plan.size, plan.rate);
                let system = Raw::start(plan.n, &board).await?;
                let figures = run(std::sync::Arc::new(system), board, plan).await;
                outcome.unsound |= !print(figures, rep, ["full", "tcp", "none"], &mut outcome.raw);
            }
            if self.only != "raw" {
                let plan = Plan { rate: group, ..plan.clone() };
                let board = Board::new(plan.n, plan.size, plan.rate);
                let system = std::sync::Arc::new(Group::start(plan.n, &self.shape(), &board).await?);
                let figures = run(system.clone(), board, plan).await;
                let shape = [&self.topology, &self.transport, &self.crypto].map(String::as_str);
                outcome.unsound |= !print(figures, rep, shape, &mut outcome.group);
                system.end().await;
            }
        }
        Ok(outcome)
    }

    async fn measure(&self) -> Result<bool, Failure> {
        let plan = self.plan()?;
        let outcome = self.runs(&plan, plan.rate, plan.rate).await?;
        let mut sound = !outcome.unsound;
        let [raw, group] = [outcome.raw.rates, outcome.group.rates].map(median);
        let mut summary = json!({
            "workload": plan.workload, "n": plan.n, "size": plan.size, "fan_out": plan.n - 1,
            "acknowledged": true, "crypto": self.crypto, "topology": self.topology,
            "raw_msgs_per_s": raw, "tertulia_msgs_per_s": group,
            "ratio": if raw > 0.0 { (group / raw * 1e3).round() / 1e3 } else { 0.0 },
        });
        if self.load > 0.0 {
            let streams = (plan.publishers() * (plan.n - 1)) as f64;
            let paced = self.runs(&plan, raw * self.load / streams, group * self.load / streams).await?;
            sound &= !paced.unsound;
            let [raw, group] = [paced.raw.p99, paced.group.p99].map(median);
            summary["load"] = json!(self.load);
            summary["raw_p99_ms"] = json!(raw);
            summary["tertulia_p99_ms"] = json!(group);
        }
        println!("{}", json!({ "summary": summary }));
        Ok(sound)
    }
}

/// Prints a run; true when everything arrived once, whole and in order.
fn print(mut figures: Map<String, Value>, rep: u32, shape: [&str; 3], side: &mut Side) -> bool {
    let [topo, transport, crypto] = shape;
    for (key, value) in
        [("rep", json!(rep)), ("topo", json!(topo)), ("variant", json!(transport)), ("crypto", json!(crypto))]
    {
        figures.insert(key.into(), value);
    }
    side.rates.extend(figures.get("msgs_per_s").and_then(Value::as_f64));
    side.p99.extend(figures.get("latency_ms").and_then(|l| l.get("p99")).and_then(Value::as_f64));
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
    match runtime.block_on(args.measure()) {
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
