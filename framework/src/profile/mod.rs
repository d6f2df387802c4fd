//! Profiles: one TOML file says which group, which plug-ins and which limits.
//!
//! A profile has the tables `group`, `node`, `topology`, `transport`, `crypto`, `codec`, `discovery`, `delivery`,
//! `detector`, `roster`, `history`, `policy`, `limits` and `log`. Values come, later ones winning, from the compiled
//! defaults, the file, the environment (`TERTULIA_DETECTOR__INTERVAL=1s`) and options (`--set detector.interval=1s`).
//! A source that changes a plug-in's `kind` starts that plug-in's table afresh, and one that sets `group.secret` or
//! `group.secret_file` takes the other away, so that an option can replace what a file says.
//!
//! Reading is strict: an unknown key, a wrong type, a value out of range or two that contradict each other are a
//! [`ProfileError`] of one line that names the place, the key, the reason and the remedy. Options of plug-ins are
//! kept as they are until the [registry](crate::registry) reads them, just as strictly.

pub mod address;
mod error;
mod explain;
mod filter;
mod layers;
mod load;
pub mod near;
mod origins;
mod ranges;
pub mod reference;
mod secret;
mod show;
mod sources;
mod tables;
#[cfg(test)]
mod tests;
pub mod ticket;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tertulia_core::config::{
    DeliveryConfig, DetectorConfig, EngineConfig, HistoryConfig, LimitsConfig, RosterConfig,
};

use crate::crypto::{GroupKey, GroupSecret};

pub use error::{Place, ProfileError};
pub(crate) use explain::explain;
pub use origins::Origins;
pub use ranges::check as check_ranges;
pub use secret::{DEMO_SECRET, SecretText};
pub use show::{PluginDefaults, show, toml_text};
pub use sources::{DEFAULT_PROFILE, Shipped, Sources};
pub use tables::{
    GROUP_MAX, GroupTable, LogTable, NICK_MAX, NodeTable, PluginTable, group_problem, nick_problem,
    turns_direction,
};

/// Everything that a member is told before it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Whom to talk with.
    pub group: GroupTable,
    /// This member.
    pub node: NodeTable,
    /// Who is whose neighbour.
    pub topology: PluginTable,
    /// What links run over.
    pub transport: PluginTable,
    /// What protects links.
    pub crypto: PluginTable,
    /// How payloads are written.
    pub codec: PluginTable,
    /// How members are found.
    pub discovery: PluginTable,
    /// What may be delivered, and by whom.
    pub policy: PluginTable,
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
    /// What is logged.
    pub log: LogTable,
    #[serde(skip)]
    pub(crate) origins: Arc<Origins>,
    #[serde(skip)]
    secret: Option<SecretText>,
}

impl Default for Profile {
    fn default() -> Self {
        Profile {
            group: GroupTable::default(),
            node: NodeTable::default(),
            topology: PluginTable::new("ring"),
            transport: PluginTable::new("tcp"),
            crypto: PluginTable::new("noise"),
            codec: PluginTable::new("postcard"),
            discovery: PluginTable::new("local"),
            policy: PluginTable::new("open"),
            delivery: DeliveryConfig::default(),
            detector: DetectorConfig::default(),
            roster: RosterConfig::default(),
            history: HistoryConfig::default(),
            limits: LimitsConfig::default(),
            log: LogTable::default(),
            origins: Arc::default(),
            secret: None,
        }
    }
}

impl Profile {
    /// Reads a profile from all its sources and checks it, plug-in options apart.
    ///
    /// # Errors
    /// The first thing that makes the profile unusable.
    pub fn load(sources: &Sources) -> Result<Self, ProfileError> {
        load::load(sources)
    }

    /// Reads a profile from TOML text alone; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`load`](Profile::load).
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        load::load(&Sources::new(&[]).text(name, text))
    }

    /// The engine's tables.
    #[must_use]
    pub fn engine(&self) -> EngineConfig {
        EngineConfig {
            delivery: self.delivery.clone(),
            detector: self.detector.clone(),
            roster: self.roster.clone(),
            history: self.history.clone(),
            limits: self.limits.clone(),
        }
    }

    /// The group's secret, from the profile or its file; `None` only in a profile that was not loaded.
    #[must_use]
    pub fn secret(&self) -> Option<&SecretText> {
        self.secret.as_ref()
    }

    /// The group's secret, a passphrase stretched; see [`SecretText::secret`] for what it costs.
    ///
    /// # Errors
    /// When there is no secret, or no memory to stretch it.
    pub fn group_secret(&self) -> Result<GroupSecret, ProfileError> {
        let text = self.secret.as_ref().ok_or_else(|| self.no_secret())?;
        text.secret(&self.group.name).map_err(|e| self.error("group.secret", e.to_string(), ""))
    }

    /// What the group's members share; costs what [`group_secret`](Profile::group_secret) costs.
    ///
    /// # Errors
    /// As [`group_secret`](Profile::group_secret).
    pub fn group_key(&self) -> Result<GroupKey, ProfileError> {
        let secret = self.group_secret()?;
        GroupKey::new(&self.group.name, &secret).map_err(|e| self.error("group.secret", e.to_string(), ""))
    }

    /// An error about `key`, at the place that set it.
    #[must_use]
    pub fn error(&self, key: &str, reason: impl Into<String>, remedy: impl Into<String>) -> ProfileError {
        ProfileError::new(self.origins.of(key), key, reason, remedy)
    }

    /// Where `key` was set.
    #[must_use]
    pub fn place(&self, key: &str) -> Place {
        self.origins.of(key)
    }

    /// True when `key` was set by a person, rather than left at its default.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.origins.exact(key).is_some()
    }

    fn no_secret(&self) -> ProfileError {
        self.error("group", "the group has no secret", "set `secret` or `secret_file`, or run `tertulia new`")
    }
}
