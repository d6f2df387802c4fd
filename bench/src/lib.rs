//! Benchmarks of Tertulia: criterion benches and the workload programs.
