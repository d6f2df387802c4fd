//! Parcels: signed by their origin, and verified by every member that they reach, with the keys of a live program.

#![allow(clippy::expect_used)] // A bench that cannot run stops, as a test does.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use tertulia::crypto::{GroupKey, GroupSecret, Identity, LiveAuth};
use tertulia_core::auth::Auth;
use tertulia_core::id::{Digest, Incarnation};
use tertulia_core::message::{Draft, Room};
use tertulia_core::parcel::{Header, Parcel, Scope};

fn auth(seed: u8) -> LiveAuth {
    let group = GroupKey::new("bench", &GroupSecret::from_bytes([7; 32])).expect("a group key");
    LiveAuth::new(Arc::new(Identity::from_seed([seed; 32]).expect("an identity")), Arc::new(group))
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (signer, reader) = (auth(1), auth(2));
    let header = Header {
        scope: Scope::Group,
        epoch: 0,
        origin: signer.me(),
        incarnation: Incarnation(1),
        number: 1,
        first_seq: 1,
        count: 1,
        prev: Digest::default(),
        before: (Incarnation(0), 0),
    };
    let mut group = criterion.benchmark_group("parcel");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for size in [64, 1 << 10, 64 << 10] {
        let mut draft = Draft::default();
        draft.push(&Room::default(), 0, 0, &vec![7; size]);
        let (parcel, digest) = Parcel::sign(header, draft.clone(), &signer);
        assert_eq!(parcel.verify(&reader), Some(digest));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("sign", size), |b| {
            let fresh = || {
                let mut draft = Draft::default();
                draft.push(&Room::default(), 0, 0, &vec![7; size]);
                draft
            };
            let sign = |draft| Parcel::sign(header, draft, &signer);
            b.iter_batched(fresh, sign, BatchSize::NumIterations(32));
        });
        group.bench_function(BenchmarkId::new("verify", size), |b| {
            b.iter(|| {
                let parcel = Parcel::parse(black_box(parcel.bytes()).clone()).expect("a parcel");
                parcel.verify(&reader).expect("a good signature")
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
