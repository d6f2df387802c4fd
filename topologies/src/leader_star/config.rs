//! Settings of the star: the options of the profile's table `topology`.

use serde::{Deserialize, Serialize};
use tertulia_core::units::Span;

use crate::election::{self, Rule};
use crate::option::{BadOption, within};

/// How parcels travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Routing {
    /// From member to member: everybody is linked to everybody.
    #[default]
    Direct,
    /// Through the leader: a star.
    Leader,
}

/// The table `topology.election`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElectionConfig {
    /// `"ballot"`, or `"plain"`: one vote in a term and no rank, to compare with Raft.
    pub rule: Rule,
}

/// Options of [`KIND`](super::KIND).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `"direct"`, or `"leader"`.
    pub routing: Routing,
    /// The pause between two heartbeats of the leader; 10 ms to 1 minute, at most half of `timeout`.
    pub heartbeat: Span,
    /// The silence after which a leader is missed: drawn between this and twice this. A leader without a majority for
    /// this long steps down. 50 ms to 5 minutes.
    pub timeout: Span,
    /// Who gets a vote.
    pub election: ElectionConfig,
    /// A fault put in on purpose, to prove that a test suite finds it. No profile can set it.
    #[serde(skip)]
    pub planted: Option<election::Planted>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            routing: Routing::Direct,
            heartbeat: Span::millis(250),
            timeout: Span::secs(1),
            election: ElectionConfig::default(),
            planted: None,
        }
    }
}

impl Config {
    /// Looks whether every option is in its range.
    ///
    /// # Errors
    /// The first option that is not, and what would do.
    pub fn check(&self) -> Result<(), BadOption> {
        within("timeout", self.timeout, Span::millis(50), Span::secs(300))?;
        within(
            "heartbeat",
            self.heartbeat,
            Span::millis(10),
            Span((self.timeout.0 / 2).min(Span::secs(60).0)),
        )
    }

    pub(super) fn settings(&self) -> election::Settings {
        election::Settings {
            rule: self.election.rule,
            heartbeat: self.heartbeat.0,
            timeout: (self.timeout.0, self.timeout.0 * 2),
            pre_vote: true,
            planted: self.planted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_set_options_and_nothing_else() {
        let star: Config = serde_json::from_str(r#"{ "routing": "leader" }"#).unwrap();
        assert_eq!(star, Config { routing: Routing::Leader, ..Config::default() });
        let plain: Config = serde_json::from_str(r#"{ "election": { "rule": "plain" } }"#).unwrap();
        assert_eq!(plain.settings().rule, Rule::Plain);
        let written = serde_json::to_string(&Config::default()).unwrap();
        let all = r#"{"routing":"direct","heartbeat":"250ms","timeout":"1s","election":{"rule":"ballot"}}"#;
        assert_eq!(written, all);
        assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), Config::default());
        for wrong in
            [r#"{ "rooting": "leader" }"#, r#"{ "planted": "VoteTwice" }"#, r#"{ "routing": "star" }"#]
        {
            assert!(serde_json::from_str::<Config>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        assert_eq!(Config::default().check(), Ok(()));
        let hasty = Config { timeout: Span::millis(1), ..Config::default() };
        assert_eq!(hasty.check().unwrap_err().to_string(), "timeout: 1ms is not within 50ms to 5m");
        let slow = Config { heartbeat: Span::millis(501), ..Config::default() };
        assert_eq!(slow.check().unwrap_err().to_string(), "heartbeat: 501ms is not within 10ms to 500ms");
        assert!(super::super::build(slow).is_err());
    }
}
