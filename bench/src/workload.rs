//! The workloads: W1, one publisher and one receiver; W2, everybody publishes to everybody.
//!
//! Publishers publish for a while, as fast as the system takes it; then the run goes on until everything has arrived,
//! or nothing has for three seconds, or thirty seconds have passed in all. The figures are those that the measuring
//! harness for other systems prints, under the same names.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::board::{self, Board};
use crate::usage::{cpu_secs, peak_rss_mib};

/// Whatever went wrong.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Something that carries payloads from every node to every other.
pub trait System: Send + Sync + 'static {
    /// Its name in the figures.
    const NAME: &'static str;
    /// What a reader needs to know to compare it.
    const ABOUT: &'static str;

    /// Publishes a payload from a node, waiting while it cannot be taken.
    fn publish(&self, node: usize, payload: &[u8]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Nothing more comes from a node for now.
    fn flush(&self, node: usize) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `w1` or `w2`.
    pub workload: &'static str,
    /// Nodes.
    pub n: usize,
    /// Bytes of a payload.
    pub size: usize,
    /// How long publishers publish.
    pub publish: Duration,
    /// Messages per second and publisher; 0: as fast as they are taken.
    pub rate: f64,
}

impl Plan {
    /// How many nodes publish.
    #[must_use]
    pub fn publishers(&self) -> usize {
        if self.workload == "w1" { 1 } else { self.n }
    }
}

async fn publish_all<S: System>(
    system: Arc<S>,
    board: Arc<Board>,
    plan: Plan,
    node: usize,
) -> Result<u64, Failure> {
    let mut payload = vec![0; plan.size];
    let mut seq = 0;
    while !board.stop.load(Relaxed) {
        if let Some(latency) = &board.latency {
            let due = latency.due(seq);
            if due > Instant::now() {
                system.flush(node).await?;
                tokio::time::sleep_until(due.into()).await;
            }
        }
        board::fill(&mut payload, node, seq);
        system.publish(node, &payload).await?;
        seq += 1;
        if seq.is_multiple_of(256) {
            // Publishers take turns even where publishing never waits.
            tokio::task::yield_now().await;
        }
    }
    system.flush(node).await?;
    Ok(seq)
}

/// Runs a workload over a system and returns its figures.
pub async fn run<S: System>(system: Arc<S>, board: Arc<Board>, plan: Plan) -> Map<String, Value> {
    let cpu = cpu_secs();
    let start = Instant::now();
    let published = Arc::new(AtomicU64::new(0));
    let failed = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..plan.publishers())
        .map(|node| {
            let (system, board, plan) = (system.clone(), board.clone(), plan.clone());
            let (published, failed) = (published.clone(), failed.clone());
            tokio::spawn(async move {
                match publish_all(system, board, plan, node).await {
                    Ok(n) => published.fetch_add(n, Relaxed),
                    Err(e) => {
                        eprintln!("node {node} could not publish: {e}");
                        failed.fetch_add(1, Relaxed)
                    }
                }
            })
        })
        .collect();
    let fan = plan.n as u64 - 1;
    let (mut last, mut last_at, mut cpu_end, mut publish_s) = (0, start, cpu, None);
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let delivered = board.delivered();
        if delivered != last {
            (last, last_at, cpu_end) = (delivered, Instant::now(), cpu_secs());
        }
        board.stop.fetch_or(start.elapsed() >= plan.publish, Relaxed);
        let done = tasks.iter().all(tokio::task::JoinHandle::is_finished);
        if done && publish_s.is_none() {
            publish_s = Some(start.elapsed().as_secs_f64());
        }
        let complete = done && delivered == published.load(Relaxed) * fan;
        let stuck = board.stop.load(Relaxed) && last_at.elapsed() > Duration::from_secs(3);
        if complete || stuck || start.elapsed() > Duration::from_secs(30) {
            break;
        }
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    let published = published.load(Relaxed);
    let took = (last_at - start).as_secs_f64().max(1e-9);
    figures::<S>(&plan, &board, published, took, cpu_end - cpu, publish_s)
}

fn figures<S: System>(
    plan: &Plan,
    board: &Board,
    published: u64,
    took: f64,
    cpu: f64,
    publish_s: Option<f64>,
) -> Map<String, Value> {
    let round = |x: f64, scale: f64| (x * scale).round() / scale;
    let expected = published * (plan.n as u64 - 1);
    let delivered = board.delivered();
    let (duplicates, corrupt, reordered) = board.faults();
    let value = json!({
        "peer": S::NAME, "workload": plan.workload, "n": plan.n, "size": plan.size, "rate": plan.rate,
        "duplicates": duplicates, "corrupt": corrupt, "reordered": reordered,
        "peak_rss_mib": round(peak_rss_mib(), 10.0), "about": S::ABOUT,
        "published": published, "expected": expected, "delivered": delivered,
        "lost": expected.saturating_sub(delivered),
        "delivery_ratio": delivered as f64 / expected.max(1) as f64,
        "publish_s": publish_s.map(|s| round(s, 1e3)), "total_s": round(took, 1e3),
        "msgs_per_s": (delivered as f64 / took).round(),
        "mib_per_s": round(delivered as f64 * plan.size as f64 / took / 1_048_576.0, 10.0),
        "cpu_s": round(cpu, 1e3),
        "cpu_us_per_delivery": round(cpu * 1e6 / delivered.max(1) as f64, 1e3),
    });
    match value {
        Value::Object(mut map) => {
            if let Some(latency) = &board.latency {
                map.insert("latency_ms".into(), latency.quantiles());
            }
            map
        }
        _ => Map::new(),
    }
}
