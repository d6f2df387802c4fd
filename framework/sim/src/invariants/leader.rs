//! Groups with a leader: one, and all agree on who it is.

use super::{broken, correct};
use crate::oracle::Violation;
use crate::sim::Sim;

/// Every correct member names the same correct leader and the same term, and the leader names itself; everybody has a
/// link to it.
pub fn one_leader(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    let correct = correct(sim);
    let mut first: Option<(u32, u64)> = None;
    for &n in &correct {
        let Some(engine) = sim.engine(n) else { continue };
        let view = engine.view();
        let leader = view.leader.and_then(|p| sim.node_of(&engine.peers().id(p)));
        let (Some(leader), Some(term)) = (leader, view.term) else {
            broken(sim, out, "leader", format!("n{n} has none"));
            continue;
        };
        let (other, its_term) = *first.get_or_insert((leader, term));
        if (leader, term) != (other, its_term) {
            let detail = format!("n{n} follows n{leader} in term {term}, others n{other} in term {its_term}");
            broken(sim, out, "leader", detail);
        }
        if correct.binary_search(&leader).is_err() {
            broken(sim, out, "leader", format!("n{n} follows n{leader}, which is no correct member"));
        } else if leader != n && !sim.linked(n).any(|m| m == leader) {
            broken(sim, out, "leader", format!("n{n} has no link to its leader n{leader}"));
        }
    }
}
