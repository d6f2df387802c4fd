//! The bus: one sender, one receiver, every payload checked; beside it raw TCP, in the same run.
//!
//! A sample publishes its messages as fast as they are taken and ends when the last one was counted. The end is looked
//! for once a millisecond, so a sample may seem that much longer than it was. `raw` is what tokio's TCP does with
//! length-prefixed frames and buffered writes: no encryption, signatures, window or acknowledgements.

#![allow(clippy::expect_used)] // A bench that cannot run stops, as a test does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use tertulia_bench::board::{self, Board};
use tertulia_bench::group::{Group, Shape};
use tertulia_bench::raw::Raw;
use tertulia_bench::workload::System;
use tertulia_core::config::EngineConfig;
use tokio::runtime::{Builder, Runtime};

const SIZES: [usize; 3] = [64, 1 << 10, 64 << 10];
/// Nothing arrives for this long: the bench has failed.
const STUCK: Duration = Duration::from_secs(10);

/// A system, what it has to carry, and what it has carried.
struct Course<S> {
    system: S,
    board: Arc<Board>,
    size: usize,
    published: AtomicU64,
}

impl<S: System> Course<S> {
    fn new(system: S, board: Arc<Board>, size: usize) -> Arc<Self> {
        Arc::new(Course { system, board, size, published: AtomicU64::new(0) })
    }

    /// Publishes `count` messages and waits until they are there; how long it took.
    async fn run(self: Arc<Self>, count: u64) -> Duration {
        let start = Instant::now();
        let first = self.published.fetch_add(count, Relaxed);
        let mut payload = vec![0; self.size];
        for seq in first..first + count {
            board::fill(&mut payload, 0, seq);
            self.system.publish(0, &payload).await.expect("the message is taken");
        }
        self.system.flush(0).await.expect("the messages leave");
        let (mut last, mut moved) = (self.board.delivered(), Instant::now());
        while last < first + count {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let delivered = self.board.delivered();
            if delivered != last {
                (last, moved) = (delivered, Instant::now());
            }
            assert!(moved.elapsed() < STUCK, "{last} of {} messages arrived", first + count);
        }
        let took = start.elapsed();
        assert_eq!(self.board.faults(), (0, 0, 0), "messages doubled, altered, out of order");
        took
    }
}

/// Measures a system that is made when its turn comes, and lets `end` take it down.
fn measure<S: System>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    (name, size): (&str, usize),
    start: &impl AsyncFn(&Arc<Board>) -> S,
    end: &impl AsyncFn(&S),
) {
    let mut course = None;
    group.throughput(Throughput::ElementsAndBytes { elements: 1, bytes: size as u64 });
    group.bench_function(BenchmarkId::new(name, size), |b| {
        let course = course.get_or_insert_with(|| {
            let board = Board::new(2, size, 0.0);
            Course::new(runtime.block_on(start(&board)), board, size)
        });
        b.to_async(runtime).iter_custom(|count| {
            let run = tokio::spawn(course.clone().run(count));
            async move { run.await.expect("the run ends well") }
        });
    });
    if let Some(course) = course {
        runtime.block_on(end(&course.system));
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut group = criterion.benchmark_group("bus");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for size in SIZES {
        let raw = async |board: &Arc<Board>| Raw::start(2, board).await.expect("connections");
        measure(&mut group, &runtime, ("raw/tcp", size), &raw, &async |_: &Raw| {});
        for (transport, crypto) in
            [("tcp", "noise"), ("tcp", "plain"), ("udp", "noise"), ("memory", "noise"), ("memory", "plain")]
        {
            let shape = Shape {
                topology: "ring".into(),
                transport: transport.into(),
                crypto: crypto.into(),
                config: EngineConfig::default(),
            };
            let start = async |board: &Arc<Board>| Group::start(2, &shape, board).await.expect("a group");
            let name = format!("{transport}/{crypto}");
            measure(&mut group, &runtime, (&name, size), &start, &Group::end);
        }
    }
    group.finish();
    criterion.final_summary();
}
