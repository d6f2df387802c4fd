//! Deterministic simulator, invariants and conformance suites.

pub mod conformance;
