//! What must hold of the group as a whole. Each check looks at a [`Sim`] from outside and names what it finds.

mod bounds;
mod leader;
mod leave;
mod linked;
mod mesh;
mod ready;
mod ring;
mod roster;

pub use bounds::bounds;
pub use leader::one_leader;
pub use leave::leave;
pub use linked::connected;
pub use mesh::{all_linked, neighbours_linked, views_agree};
pub use ready::ready;
pub use ring::{ring, ring_settled};
pub use roster::roster;

use crate::oracle::Violation;
use crate::sim::Sim;

/// A check of the whole group.
pub type Invariant = fn(&Sim<'_>, &mut Vec<Violation>);

/// Checks that hold for every topology once a group has settled.
pub const SETTLED: [Invariant; 5] = [ready, roster, connected, bounds, leave];
/// Checks that hold at every moment.
pub const ALWAYS: [Invariant; 1] = [bounds];

fn broken(sim: &Sim<'_>, out: &mut Vec<Violation>, invariant: &'static str, detail: String) {
    out.push(Violation { at: sim.now(), invariant, detail });
}

/// Members that run, are ready and not frozen.
fn correct(sim: &Sim<'_>) -> Vec<u32> {
    sim.members().filter(|&n| sim.ready_at(n).is_some()).collect()
}

/// Numbers as people read them: `n1 n4`.
fn list(nodes: &[u32]) -> String {
    nodes.iter().map(|n| format!("n{n}")).collect::<Vec<_>>().join(" ")
}
