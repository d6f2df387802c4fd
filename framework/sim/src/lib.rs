//! A deterministic simulator of whole groups, the oracle and invariants that judge a run, campaigns of seeded
//! faults, and the conformance suites that every plug-in must pass.
//!
//! One [`Sim`] holds any number of engines (`tertulia-core`), a virtual clock, and one queue of events. Nothing in it
//! knows the time of day or the machine: the same seed gives the same run, and
//! [`trace_hash`](sim::Sim::trace_hash) proves it. It is built for size: nodes are dense numbers, the latency of a
//! pair is a hash of the pair, a node keeps only its own links and one wake-up.
//!
//! | module | what it is |
//! |---|---|
//! | [`sim`] | nodes, links, the clock, what can be done to them |
//! | [`network`] | latency, loss, partitions: what happens between nodes |
//! | [`oracle`] | the client's view: lost, doubled, disordered, false |
//! | [`invariants`] | what must hold of the group as a whole |
//! | [`campaign`] | many seeds of random faults: safety, heal, liveness |
//! | [`explore`] | small groups, every order of events at every message boundary |
//! | [`conformance`] | suites for plug-ins, callable from any crate |
//! | [`planted`] | bugs put in on purpose, to prove that the suites can fail |

pub mod auth;
pub mod campaign;
pub mod conformance;
pub mod counters;
pub mod explore;
mod hash;
pub mod invariants;
pub mod network;
pub mod oracle;
pub mod planted;
mod queue;
pub mod sim;
pub mod tap;

pub use auth::SimAuth;
pub use sim::{Sim, SimConfig};
