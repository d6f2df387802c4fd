#![doc = include_str!("docs.md")]

mod client;
mod messages;
mod server;
mod state;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tertulia_core::units::Span;

use crate::link::Locator;

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
        SeedsConfig { seeds: Vec::new(), update: Span::secs(13), expire: Span::secs(40) }
    }
}

/// Seeds of a profile at most.
const SEEDS_MAX: usize = 64;

/// What follows from the options, checked.
#[derive(Clone, Debug)]
struct Settings {
    seeds: Vec<Locator>,
    config: SeedsConfig,
}

impl Settings {
    fn new(config: SeedsConfig, transport: &str) -> Result<Self, String> {
        if config.seeds.is_empty() || config.seeds.len() > SEEDS_MAX {
            return Err(format!("seeds: list 1 to {SEEDS_MAX} addresses of seeds"));
        }
        if config.update < Span::millis(100) || config.update > Span::secs(3600) {
            return Err(format!("update: {} is not within 100ms to 1h", config.update));
        }
        if config.expire.0 < config.update.0 * 2 || config.expire > Span::secs(86_400) {
            return Err("expire: write at least twice `update`, and at most a day".into());
        }
        let read = |text: &String| Locator::parse_or(transport, text).map_err(|e| format!("seeds: {e}"));
        let seeds = config.seeds.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let mut sorted: Vec<&Locator> = seeds.iter().collect();
        sorted.sort();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("seeds: one of the addresses is listed twice".into());
        }
        Ok(Settings { seeds, config })
    }

    /// How many seeds a member registers with: any two such choices have one in common.
    fn enough(&self) -> usize {
        self.seeds.len() / 2 + 1
    }
}

impl Seeds {
    /// The client of these seeds; addresses without a scheme are `transport`'s.
    ///
    /// # Errors
    /// The option to correct.
    pub fn build(config: SeedsConfig, transport: &str) -> Result<Arc<Self>, String> {
        Settings::new(config, transport).and_then(Seeds::new).map(Arc::new)
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
        let says = |config: SeedsConfig| Settings::new(config, "tcp").map(|_| ()).unwrap_err();
        let enough = |n: usize| {
            let all: Vec<String> = (1..=n).map(|i| format!("h:{i}")).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            Settings::new(config(&all), "tcp").unwrap().enough()
        };
        assert_eq!([1, 2, 3, 4, 5].map(enough), [1, 2, 2, 3, 3]);
        assert!(says(config(&[])).starts_with("seeds: "));
        assert!(says(config(&["a b"])).starts_with("seeds: "));
        assert!(says(config(&["h:1", "tcp://h:1"])).contains("listed twice"));
        assert!(says(SeedsConfig { expire: Span::secs(20), ..config(&["h:1"]) }).starts_with("expire: "));
        assert!(says(SeedsConfig { update: Span::millis(9), ..config(&["h:1"]) }).starts_with("update: "));
    }
}
