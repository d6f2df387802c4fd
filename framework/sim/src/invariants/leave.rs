//! Leaving ends.

use std::time::Duration;

use super::broken;
use crate::oracle::Violation;
use crate::sim::Sim;

/// How long leaving may take: 10 s for what is pending, and as much again for saying goodbye.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nobody has been leaving for longer than that.
pub fn leave(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    for &n in sim.running() {
        if let Some(since) = sim.leaving_since(n)
            && sim.now().since(since) > PATIENCE
        {
            broken(sim, out, "leave", format!("n{n} has been leaving since {since}"));
        }
    }
}
