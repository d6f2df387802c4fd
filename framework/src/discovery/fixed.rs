//! `static`: a list of addresses in the profile.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Announcement, Discovery, DiscoveryError, Founding, kind};
use crate::link::Locator;

/// Options of `static`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FixedConfig {
    /// Members that are usually there: locators, or `HOST:PORT` for the profile's transport.
    pub members: Vec<String>,
}

/// Knows what it was told.
#[derive(Clone, Debug)]
pub struct Fixed {
    members: Vec<Locator>,
}

impl Fixed {
    /// The list of `config`; addresses without a scheme are `transport`'s.
    ///
    /// # Errors
    /// When an entry is no locator.
    pub fn build(config: &FixedConfig, transport: &str) -> Result<Self, String> {
        let read = |text: &String| Locator::parse_or(transport, text).map_err(|e| format!("members: {e}"));
        Ok(Fixed { members: config.members.iter().map(read).collect::<Result<_, _>>()? })
    }
}

#[async_trait]
impl Discovery for Fixed {
    fn kind(&self) -> &'static str {
        kind::STATIC
    }

    fn finds(&self) -> bool {
        !self.members.is_empty()
    }

    /// The same place may have another name here than its member gives it.
    fn finds_announced(&self) -> bool {
        false
    }

    async fn lookup(&self) -> Result<Vec<Locator>, DiscoveryError> {
        Ok(self.members.clone())
    }

    async fn announce(&self, _: &Announcement) -> Result<(), DiscoveryError> {
        Ok(())
    }

    async fn withdraw(&self) {}

    async fn founding(&self) -> Result<Founding, DiscoveryError> {
        Ok(Founding::unguarded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_list_is_what_it_finds() {
        let config = FixedConfig { members: vec!["127.0.0.1:1".into(), "udp://h:2".into()] };
        let fixed = Fixed::build(&config, "tcp").unwrap();
        assert!(fixed.finds() && !Fixed::build(&FixedConfig::default(), "tcp").unwrap().finds());
        let found = fixed.lookup().await.unwrap();
        assert_eq!(found.iter().map(Locator::as_str).collect::<Vec<_>>(), ["tcp://127.0.0.1:1", "udp://h:2"]);
        let bad = FixedConfig { members: vec!["a b".into()] };
        assert!(Fixed::build(&bad, "tcp").unwrap_err().starts_with("members: "));
    }
}
