//! All agree on who is a member, and under which nick.

use std::collections::BTreeMap;
use std::sync::Arc;

use tertulia_core::config::Scope;
use tertulia_core::peers::State;

use super::{broken, correct, list};
use crate::oracle::Violation;
use crate::sim::Sim;

/// Every correct member holds exactly the correct members for live, under the same nicks, no nick twice. In groups
/// whose members know only their neighbourhood, nobody holds a dead member for alive.
pub fn roster(sim: &Sim<'_>, out: &mut Vec<Violation>) {
    let correct = correct(sim);
    let whole = sim.config().engine.roster.scope == Scope::Group;
    let mut nicks: BTreeMap<u32, (u32, Arc<str>)> = BTreeMap::new();
    for &n in &correct {
        let Some(engine) = sim.engine(n) else { continue };
        let mut live = Vec::new();
        for (_, entry) in engine.peers().live() {
            let Some(m) = sim.node_of(&entry.id) else {
                broken(sim, out, "roster", format!("n{n} knows a member that is nobody"));
                continue;
            };
            live.push(m);
            if entry.state == State::Suspect {
                broken(sim, out, "roster", format!("n{n} suspects n{m}"));
            }
            match nicks.get(&m) {
                Some((by, nick)) if *nick != entry.nick => {
                    let detail = format!("n{m} is `{nick}` to n{by} and `{}` to n{n}", entry.nick);
                    broken(sim, out, "nicks", detail);
                }
                Some(_) => {}
                None => {
                    nicks.insert(m, (n, Arc::clone(&entry.nick)));
                }
            }
        }
        live.sort_unstable();
        let wrong =
            if whole { live != correct } else { live.iter().any(|m| correct.binary_search(m).is_err()) };
        if wrong {
            let detail = format!("n{n} holds {} for live, not {}", list(&live), list(&correct));
            broken(sim, out, "roster", detail);
        }
    }
    let mut holders: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for (&m, (_, nick)) in &nicks {
        if nick.is_empty() {
            broken(sim, out, "nicks", format!("n{m} has none"));
        }
        if let Some(other) = holders.insert(Arc::clone(nick), m) {
            broken(sim, out, "nicks", format!("n{other} and n{m} are both `{nick}`"));
        }
    }
}
