//! Everybody who runs becomes a member.

use super::broken;
use crate::oracle::Violation;
use crate::sim::{Sim, Status};

/// Every running node is a member; none was refused.
pub fn ready(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    for n in sim.members() {
        if sim.ready_at(n).is_none() {
            broken(sim, out, "ready", format!("n{n} is not a member"));
        }
    }
    for n in (0..sim.len()).filter(|&n| sim.status(n) == Status::Stopped) {
        let code = sim.refused(n).unwrap_or("no reason");
        broken(sim, out, "ready", format!("n{n} stopped: {code}"));
    }
}
