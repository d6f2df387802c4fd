//! The groups that the examples and tests of this crate run.

#![allow(dead_code, reason = "every program uses its share")]
#![allow(clippy::expect_used, reason = "an example that cannot run stops")]

use std::str::FromStr;

use tertulia_core::topology::Topology;
use tertulia_sim::campaign::{Campaign, Faults};
use tertulia_sim::conformance::FullMesh;
use tertulia_sim::explore::Explorer;
use tertulia_sim::invariants::{
    Invariant, SETTLED, all_linked, neighbours_linked, one_leader, ring_settled, views_agree,
};
use tertulia_topologies::leader_star::{self, Routing};
use tertulia_topologies::mesh::{self, Choice, Degree};
use tertulia_topologies::ring::{Config, RedundantConfig, build};

/// A kind of group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Group {
    /// Everybody linked to everybody, everything over every link: `bare`.
    Bare,
    /// Everybody linked to everybody, `mesh`, or to so many of its own choice, `mesh3`, `mesh4`, ….
    Mesh(Option<u8>),
    /// Everybody with an active view of so many: `active3`, ….
    Active(u8),
    /// A ring with this many successors, `ring1`, `ring2`, …; or with 1 to 4, from seed to seed: `ring`.
    Ring(Option<u8>),
    /// With a leader, messages from member to member, `star`, or through the leader, `star-leader`.
    Star(Routing),
}

impl FromStr for Group {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = name[word.len()..].parse().ok();
        match word {
            "bare" => Ok(Group::Bare),
            "mesh" => Ok(Group::Mesh(number)),
            "active" => Ok(Group::Active(number.unwrap_or(5))),
            "ring" => Ok(Group::Ring(number)),
            "star" => Ok(Group::Star(Routing::Direct)),
            "star-leader" => Ok(Group::Star(Routing::Leader)),
            _ => Err(format!(
                "{name}: there is bare, mesh, mesh3, …, active3, …, star, star-leader, ring, ring1, …"
            )),
        }
    }
}

impl Group {
    /// The topology of a node in the run of a seed.
    pub(crate) fn make(self, seed: u64) -> Box<dyn Topology> {
        let built = match self {
            Group::Bare => return Box::new(FullMesh::default()),
            Group::Mesh(degree) => mesh::build(mesh::Config {
                degree: degree.map_or(Degree::Full, Degree::Of),
                view: Choice::Pick,
                ..mesh::Config::default()
            }),
            Group::Active(degree) => {
                mesh::build(mesh::Config { degree: Degree::Of(degree), ..mesh::Config::default() })
            }
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
            Group::Bare => None,
            Group::Mesh(None) => Some(all_linked),
            Group::Mesh(Some(_)) => Some(neighbours_linked),
            Group::Active(_) => Some(views_agree),
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
