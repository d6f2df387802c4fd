//! The groups that the examples and tests of this crate run.

#![allow(dead_code, reason = "every program uses its share")]
#![allow(clippy::expect_used, reason = "an example that cannot run stops")]

use std::str::FromStr;

use tertulia_core::topology::Topology;
use tertulia_sim::campaign::{Campaign, Faults};
use tertulia_sim::conformance::FullMesh;
use tertulia_sim::explore::Explorer;
use tertulia_sim::invariants::{Invariant, SETTLED, one_leader, ring_settled};
use tertulia_topologies::leader_star::{self, Routing};
use tertulia_topologies::ring::{Config, RedundantConfig, build};

/// A kind of group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Group {
    /// Everybody linked to everybody: `mesh`.
    Mesh,
    /// A ring with this many successors, `ring1`, `ring2`, …; or with 1 to 4, from seed to seed: `ring`.
    Ring(Option<u8>),
    /// With a leader, messages from member to member, `star`, or through the leader, `star-leader`.
    Star(Routing),
}

impl FromStr for Group {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.strip_prefix("ring") {
            None if name == "star" => Ok(Group::Star(Routing::Direct)),
            None if name == "star-leader" => Ok(Group::Star(Routing::Leader)),
            None if name == "mesh" => Ok(Group::Mesh),
            Some("") => Ok(Group::Ring(None)),
            Some(n) => n.parse().map(|n| Group::Ring(Some(n))).map_err(|e| format!("{name}: {e}")),
            None => Err(format!("{name}: there is mesh, star, star-leader, ring, ring1, ring2 and so on")),
        }
    }
}

impl Group {
    /// The topology of a node in the run of a seed.
    pub(crate) fn make(self, seed: u64) -> Box<dyn Topology> {
        let built = match self {
            Group::Mesh => return Box::new(FullMesh::default()),
            Group::Star(routing) => {
                leader_star::build(leader_star::Config { routing, ..leader_star::Config::default() })
            }
            Group::Ring(successors) => match successors.unwrap_or(1 + (seed / 3 % 4) as u8) {
                1 => build(Config::default()),
                successors => build(RedundantConfig { successors, ..RedundantConfig::default() }),
            },
        };
        built.expect("options within their range")
    }

    /// What must hold once it has settled.
    pub(crate) fn settled(self) -> Vec<Invariant> {
        let own: Option<Invariant> = match self {
            Group::Mesh => None,
            Group::Ring(_) => Some(ring_settled),
            Group::Star(_) => Some(one_leader),
        };
        SETTLED.into_iter().chain(own).collect()
    }

    /// A campaign of 3 to 64 members, latencies of all kinds.
    pub(crate) fn plan(self, faults: &Faults, seed: u64) -> Campaign {
        Campaign { settled: self.settled(), ..Campaign::varied(faults, seed) }
    }

    /// The same with 12 members at most: sized for tests.
    pub(crate) fn small(self, faults: &Faults, seed: u64) -> Campaign {
        let plan = self.plan(faults, seed);
        Campaign { nodes: plan.nodes.min(12), ..plan }
    }

    /// An explorer of one place in `every`. Where half of a small group dies for good there is no leader, and people
    /// talk on.
    pub(crate) fn explorer(self, every: u64) -> Explorer {
        let settled = if let Group::Star(_) = self { SETTLED.to_vec() } else { self.settled() };
        Explorer { every, settled, ..Explorer::default() }
    }
}
