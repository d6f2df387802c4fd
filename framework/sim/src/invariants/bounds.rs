//! Nothing grows without bound.

use super::broken;
use crate::oracle::Violation;
use crate::sim::Sim;

/// Peers that a node may know beyond its roster: handshakes and links of strangers, names in frames.
const SLACK: usize = 64;

/// Peer tables and links stay within their limits, and no engine floods its driver or stands still.
pub fn bounds(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    let config = &sim.config().engine;
    let most =
        config.roster.max as usize + config.roster.book as usize + config.limits.links as usize + SLACK;
    for &n in sim.running() {
        let Some(engine) = sim.engine(n) else { continue };
        if engine.peers().slots() > most {
            broken(
                sim,
                out,
                "bounds",
                format!("n{n} knows {} peers, at most {most}", engine.peers().slots()),
            );
        }
        let links = sim.linked(n).count();
        if links > config.limits.links as usize {
            broken(sim, out, "bounds", format!("n{n} has {links} links"));
        }
    }
    for (at, detail) in sim.bounds_broken() {
        out.push(Violation { at: *at, invariant: "bounds", detail: detail.clone() });
    }
}
