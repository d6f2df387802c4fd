//! Every topology that a group of processes can have, and what its settings say of deaths.

use std::time::Duration;

use tertulia_core::config::DetectorConfig;

use super::group::Shape;
use super::place::Place;

/// A topology as a profile has it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What tests call it.
    pub name: &'static str,
    /// The shipped profile.
    pub profile: &'static str,
    /// What is set beside it.
    sets: &'static [&'static str],
    /// What the group is to look like.
    pub shape: Shape,
}

/// A ring.
pub const RING: Kind = Kind::new("ring", "ring", &[], Shape::Ring(1));
/// A ring on which each knows three successors.
pub const REDUNDANT_RING: Kind = Kind::new("redundant-ring", "redundant-ring", &[], Shape::Ring(3));
/// Everybody linked to everybody.
pub const MESH: Kind = Kind::new("mesh", "mesh", &[], Shape::Mesh);
/// A mesh of small active views.
pub const ACTIVE: Kind = Kind::new("mesh-active", "mesh", &["topology.degree=3"], Shape::Mesh);
/// A mesh of neighbours picked at random.
pub const PICK: Kind =
    Kind::new("mesh-pick", "mesh", &["topology.degree=3", "topology.view=\"pick\""], Shape::Mesh);
/// A leader, and messages from member to member.
pub const LEADER: Kind = Kind::new("leader", "leader", &[], Shape::Star);
/// A leader through whom messages go.
pub const THROUGH_LEADER: Kind =
    Kind::new("leader-routed", "leader", &["topology.routing=\"leader\""], Shape::Star);

/// All of them.
pub const KINDS: [Kind; 7] = [RING, REDUNDANT_RING, MESH, ACTIVE, PICK, LEADER, THROUGH_LEADER];

impl Kind {
    const fn new(
        name: &'static str,
        profile: &'static str,
        sets: &'static [&'static str],
        shape: Shape,
    ) -> Kind {
        Kind { name, profile, sets, shape }
    }

    /// The one of this name, or `all`.
    #[must_use]
    pub fn named(name: &str) -> Vec<Kind> {
        let found: Vec<Kind> = KINDS.into_iter().filter(|kind| name == "all" || kind.name == name).collect();
        assert!(!found.is_empty(), "{name} is none of {:?}, all", KINDS.map(|kind| kind.name));
        found
    }

    /// After how long a member that was killed is declared dead at the latest: its connections close at once, and who
    /// wants one back is refused. A neighbour by the dead one's choice alone wants none back and dials once: that may
    /// meet a process that is not quite gone, which is no refusal.
    #[must_use]
    pub fn killed_dead_within(&self) -> Duration {
        let detector = DetectorConfig::default();
        let own_choice = self.name == PICK.name;
        detector.interval.0 + if own_choice { detector.suspicion.0 } else { detector.suspicion_closed.0 }
    }

    /// True where parcels find trees of their own: what went through a silent member is missed until those that were
    /// only told of it have waited for it.
    #[must_use]
    pub fn has_trees(&self) -> bool {
        [ACTIVE.name, PICK.name].contains(&self.name)
    }

    /// A place where members are of this kind.
    #[must_use]
    pub fn place(&self) -> Place {
        self.sets.iter().fold(Place::new(), |place, set| place.set(set))
    }
}

/// After how long a member that is frozen is suspected at the latest: silence, a probe, and a probe through others.
#[must_use]
pub fn suspected_within() -> Duration {
    let detector = DetectorConfig::default();
    detector.interval.0 + detector.timeout.0 * 2
}

/// After how long it is declared dead at the latest.
#[must_use]
pub fn frozen_dead_within() -> Duration {
    suspected_within() + DetectorConfig::default().suspicion.0
}
