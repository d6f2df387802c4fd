//! Codecs: a small struct to bytes and back, through the erased seam that profiles choose by.

#![allow(clippy::expect_used)] // A bench that cannot run stops, as a test does.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use serde::{Deserialize, Serialize};
use tertulia::codec::{self, Codec, Json, Postcard};

/// What a chat program might send.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    text: String,
    sent_us: u64,
    answers: Option<u32>,
    tags: Vec<String>,
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let line = Line {
        text: "the ring has closed again, and nobody noticed".into(),
        sent_us: 1_760_000_000_000_000,
        answers: Some(17),
        tags: vec!["news".into(), "ring".into()],
    };
    let codecs: [Box<dyn Codec>; 2] = [Box::new(Postcard::new(1 << 20)), Box::new(Json::new(1 << 20))];
    let mut group = criterion.benchmark_group("codec");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for codec in &codecs {
        let codec = &**codec;
        let bytes = codec::write(codec, &line).expect("the line is written");
        assert_eq!(codec::read::<Line>(codec, &bytes).expect("the line is read"), line);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("{}/encode", codec.kind()), |b| {
            let mut out = Vec::with_capacity(256);
            b.iter(|| {
                out.clear();
                codec.encode(black_box(&line), &mut out).expect("the line is written");
                black_box(out.len())
            });
        });
        group.bench_function(format!("{}/decode", codec.kind()), |b| {
            b.iter(|| codec::read::<Line>(codec, black_box(&bytes)).expect("the line is read"));
        });
    }
    group.finish();
    criterion.final_summary();
}
