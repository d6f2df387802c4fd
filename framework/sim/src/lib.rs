//! Deterministic simulator, invariants and conformance suites.
