//! Settings of the engine: the profile's tables `delivery`, `detector`, `roster`, `history`, `limits`.

use serde::{Deserialize, Serialize};

use crate::units::{Size, Span};

/// All engine settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// How parcels are formed, paced and repaired.
    pub delivery: DeliveryConfig,
    /// How silent deaths are found.
    pub detector: DetectorConfig,
    /// Whom this member knows of.
    pub roster: RosterConfig,
    /// What is kept for others.
    pub history: HistoryConfig,
    /// What a member accepts at most.
    pub limits: LimitsConfig,
}

/// The table `delivery`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// Missing parcels are pulled from whoever holds them. Off only for runs after papers.
    pub repair: bool,
    /// Bytes of one's own parcels that the slowest member in step may lack before `publish` waits.
    pub window: Size,
    /// A member that does not progress for this long no longer holds the window back; at least 50 ms.
    pub stall: Span,
    /// The longest that a receiver waits before it tells how far it is; the shortest pause between two roster
    /// changes on a link.
    pub progress: Span,
    /// The shortest wait for an announced or skipped parcel before it is pulled.
    pub pull_after: Span,
    /// The longest pause between two tries to pull the same parcel, or to send a direct message again.
    pub retry_max: Span,
    /// Bytes asked for by one pull.
    pub pull_size: Size,
    /// How long a parcel that no neighbour holds any more is looked for before a `gap` is reported.
    pub gap_after: Span,
    /// When `delivered` is reported as partial.
    pub delivered_after: Span,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        DeliveryConfig {
            repair: true,
            window: Size::mib(4),
            stall: Span::millis(200),
            progress: Span::millis(20),
            pull_after: Span::millis(20),
            retry_max: Span::secs(2),
            pull_size: Size::kib(512),
            gap_after: Span::secs(3),
            delivered_after: Span::secs(5),
        }
    }
}

/// The table `detector` (after SWIM, Das et al. 2002, with Lifeguard's local health, Dadgar et al. 2018).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectorConfig {
    /// A neighbour that was silent for this long is probed.
    pub interval: Span,
    /// The shortest wait for an answer; raised to follow measured round trips.
    pub timeout: Span,
    /// How many others are asked to probe before a neighbour is suspected.
    pub indirect: u8,
    /// How long a suspect may refute before it is declared dead.
    pub suspicion: Span,
    /// The same, when the link was closed and redialling is refused.
    pub suspicion_closed: Span,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        DetectorConfig {
            interval: Span::millis(500),
            timeout: Span::millis(500),
            indirect: 3,
            suspicion: Span::secs(2),
            suspicion_closed: Span::millis(500),
        }
    }
}

/// What a member knows of the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Every member, its nick, and how far it is.
    #[default]
    Group,
    /// Neighbours, and origins of messages seen.
    View,
}

/// The table `roster`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RosterConfig {
    /// Whole group or neighbourhood.
    pub scope: Scope,
    /// Members known at most, dead and left ones included.
    pub max: u32,
    /// How long the dead and the left are remembered.
    pub forget: Span,
    /// Remembered peers in the address book at most.
    pub book: u32,
    /// How often one absent member of the address book is dialled; backs off to ten times this.
    pub rejoin: Span,
}

impl Default for RosterConfig {
    fn default() -> Self {
        RosterConfig {
            scope: Scope::Group,
            max: 1024,
            forget: Span::secs(3600),
            book: 256,
            rejoin: Span::secs(5),
        }
    }
}

/// What a newcomer is given of what was said before it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Newcomers {
    /// Everything kept.
    #[default]
    All,
    /// Nothing.
    None,
}

/// The table `history`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryConfig {
    /// Messages kept for newcomers, once every member has them.
    pub keep: u32,
    /// Bytes kept in all, also for members that are away.
    pub keep_bytes: Size,
    /// What newcomers get, of the last [four runs](crate::topology::RUNS_MAX) of each member.
    pub newcomers: Newcomers,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        HistoryConfig { keep: 10_000, keep_bytes: Size::mib(64), newcomers: Newcomers::All }
    }
}

/// The table `limits`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Bytes of one message's payload.
    pub message: Size,
    /// Bytes accepted by `publish` and not yet made into parcels.
    pub pending: Size,
    /// Bytes of parcels that arrived before their predecessors, per origin; eight times as many for all origins together.
    pub ahead: Size,
    /// Links at once.
    pub links: u32,
    /// Bytes queued on a link's control lane.
    pub lane_control: Size,
    /// Bytes queued on a link's data lane.
    pub lane_data: Size,
    /// Bytes queued on a link's repair lane.
    pub lane_repair: Size,
    /// Handshakes under way at once; one more is refused as busy.
    pub handshakes: u32,
    /// How long a handshake may take.
    pub handshake: Span,
    /// Bytes delivered and not yet taken by the application.
    pub inbox: Size,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        LimitsConfig {
            message: Size::mib(1),
            pending: Size::mib(4),
            ahead: Size::mib(8),
            links: 256,
            lane_control: Size::mib(1),
            lane_data: Size::mib(16),
            lane_repair: Size::mib(4),
            handshakes: 64,
            handshake: Span::secs(5),
            inbox: Size::mib(16),
        }
    }
}
