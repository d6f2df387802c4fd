#![doc = include_str!("docs.md")]

mod client;
mod messages;
mod server;
mod state;

use serde::{Deserialize, Serialize};
use tertulia_core::units::Span;

pub use client::Seeds;

/// Options of `seeds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedsConfig {
    /// Where the seeds are: locators, or `HOST:PORT` for the profile's transport.
    pub seeds: Vec<String>,
    /// How often a member tells its seeds that it is still there.
    pub update: Span,
    /// A seed forgets a member that has told it nothing for so long.
    pub expire: Span,
}

impl Default for SeedsConfig {
    fn default() -> Self {
        SeedsConfig { seeds: Vec::new(), update: Span::secs(13), expire: Span::secs(90) }
    }
}

impl SeedsConfig {
    fn check(&self) -> Result<(), String> {
        super::service::check_updates(self.update, self.expire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        let config = |seeds: &[&str]| SeedsConfig {
            seeds: seeds.iter().map(|s| (*s).to_owned()).collect(),
            ..SeedsConfig::default()
        };
        let says = |config: SeedsConfig| Seeds::build(config, "tcp").map(|_| ()).unwrap_err();
        Seeds::build(config(&["h:1", "h:2"]), "tcp").unwrap();
        assert!(says(config(&[])).starts_with("seeds: "));
        assert!(says(config(&["a b"])).starts_with("seeds: "));
        assert!(says(config(&["h:1", "tcp://h:1"])).contains("listed twice"));
        assert!(says(SeedsConfig { expire: Span::secs(20), ..config(&["h:1"]) }).starts_with("expire: "));
        assert!(says(SeedsConfig { update: Span::millis(9), ..config(&["h:1"]) }).starts_with("update: "));
    }
}
