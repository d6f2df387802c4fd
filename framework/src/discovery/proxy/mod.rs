#![doc = include_str!("docs.md")]

mod client;
mod messages;
mod server;
mod state;

use serde::{Deserialize, Serialize};
use tertulia_core::units::Span;

pub use client::Proxy;

/// Options of `proxy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyConfig {
    /// Where the proxies are: locators, or `HOST:PORT` for the profile's transport.
    pub proxies: Vec<String>,
    /// How often a leader tells them that it still leads.
    pub update: Span,
    /// A proxy forgets a leader that has told it nothing for so long.
    pub expire: Span,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        ProxyConfig { proxies: Vec::new(), update: Span::secs(5), expire: Span::secs(20) }
    }
}

impl ProxyConfig {
    fn check(&self) -> Result<(), String> {
        super::service::check_updates(self.update, self.expire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        let config = |proxies: &[&str]| ProxyConfig {
            proxies: proxies.iter().map(|s| (*s).to_owned()).collect(),
            ..ProxyConfig::default()
        };
        let says = |config: ProxyConfig| Proxy::build(config, "tcp").map(|_| ()).unwrap_err();
        Proxy::build(config(&["h:1", "h:2"]), "tcp").unwrap();
        assert!(says(config(&[])).starts_with("proxies: "));
        assert!(says(ProxyConfig { expire: Span::secs(9), ..config(&["h:1"]) }).starts_with("expire: "));
    }
}
