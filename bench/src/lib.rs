//! Benchmarks of Tertulia, each beside a raw baseline in the same run.
//!
//! * `workloads` (a program): W1, one publisher and one receiver, and W2, everybody publishes to everybody, over a
//!   Tertulia group and over plain TCP connections; every payload is checked, one JSON line per run.
//! * `benches/` (criterion): the engine's step, codecs, record sealing, parcel signing, the bus.

pub mod board;
pub mod group;
pub mod lab;
pub mod latency;
pub mod raw;
pub mod usage;
pub mod workload;
