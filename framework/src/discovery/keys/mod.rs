#![doc = include_str!("docs.md")]

mod client;
mod manager;
mod messages;
mod server;
mod state;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tertulia_core::units::Span;

use super::service::server::posts;
use super::service::{Service, circle::places};
pub(crate) use client::Vouching;
pub use client::{Keys, KeysError};
pub use manager::manager_pair;
pub use messages::Problem;

/// What this service is called in events.
pub const KIND: &str = "keys";

/// Options of the key manager, the table `crypto.keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeysConfig {
    /// Where the key manager is: a locator, or `HOST:PORT` for the profile's transport. Empty: there is none.
    pub manager: String,
    /// The file that holds its public key. With it members let in only whom the key manager vouches for; empty: it is not
    /// asked.
    pub public_key: PathBuf,
    /// How often a member has its key vouched for anew.
    pub update: Span,
    /// How long the key manager's word counts, and how long it remembers a member that has not asked since.
    pub expire: Span,
}

impl Default for KeysConfig {
    fn default() -> Self {
        let (update, expire) = (Span::secs(3600), Span::secs(7 * 24 * 3600));
        KeysConfig { manager: String::new(), public_key: PathBuf::new(), update, expire }
    }
}

impl KeysConfig {
    /// True when members are authenticated by the key manager.
    #[must_use]
    pub fn authenticates(&self) -> bool {
        !self.public_key.as_os_str().is_empty()
    }

    /// Objects to options that make no sense.
    ///
    /// # Errors
    /// The option to correct.
    pub fn check(&self) -> Result<(), String> {
        if self.authenticates() && self.manager.is_empty() {
            return Err("manager: write where the key manager is, whose public key is given".into());
        }
        if self.update < Span::millis(100) || self.update > Span::secs(86_400) {
            return Err(format!("update: {} is not within 100ms to 24h", self.update));
        }
        if self.expire.0 < self.update.0 * 2 || self.expire > Span::secs(365 * 86_400) {
            return Err("expire: write at least twice `update`, and at most a year".into());
        }
        Ok(())
    }

    /// The key manager that somebody has to run, if there is one.
    ///
    /// # Errors
    /// The option to correct.
    pub fn services(&self, transport: &str) -> Result<Vec<Box<dyn Service>>, String> {
        self.check()?;
        if self.manager.is_empty() {
            return Ok(Vec::new());
        }
        let at = places("manager", std::slice::from_ref(&self.manager), transport)?;
        Ok(posts(server::Manager { expire: self.expire.0 }, &at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        let config = |manager: &str| KeysConfig { manager: manager.into(), ..KeysConfig::default() };
        let says = |config: KeysConfig| config.services("tcp").map(|_| ()).unwrap_err();
        assert_eq!(config("h:1").services("tcp").unwrap()[0].name(), "keys-0");
        assert!(config("").services("tcp").unwrap().is_empty());
        assert!(says(config("a b")).starts_with("manager: "));
        assert!(says(KeysConfig { public_key: "f".into(), ..config("") }).starts_with("manager: "));
        assert!(says(KeysConfig { expire: Span::secs(3601), ..config("h:1") }).starts_with("expire: "));
        assert!(says(KeysConfig { update: Span::millis(9), ..config("h:1") }).starts_with("update: "));
    }
}
