//! Locators: where a listener can be reached.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a listener can be reached: a transport's scheme and an address that only this transport reads,
/// written `scheme://rest`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator {
    text: Box<str>,
    scheme: u8,
}

/// A text that is no locator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocatorError {
    /// Nothing between the text and a transport's scheme.
    #[error("`{0}` names no transport: write SCHEME://ADDRESS, as in tcp://127.0.0.1:4000")]
    NoScheme(String),
    /// A scheme that no plug-in may have.
    #[error("`{0}` is no transport's scheme: use 1 to 16 of a-z, 0-9 and `-`, beginning with a letter")]
    BadScheme(String),
    /// Longer than [`Locator::MAX`].
    #[error("a locator of {0} bytes is too long: at most {max} are allowed", max = Locator::MAX)]
    TooLong(usize),
    /// A space or a control character in the address.
    #[error("`{0}` holds a space or a control character: an address is written without")]
    BadCharacter(String),
}

impl Locator {
    /// The most bytes of a locator.
    pub const MAX: usize = 255;
    const SCHEME_MAX: usize = 16;

    /// A locator of these parts.
    pub fn new(scheme: &str, rest: &str) -> Result<Self, LocatorError> {
        let len = scheme.len() + "://".len() + rest.len();
        if len > Self::MAX {
            return Err(LocatorError::TooLong(len));
        }
        let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let starts = scheme.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        let Some(end) = u8::try_from(scheme.len()).ok().filter(|_| scheme.len() <= Self::SCHEME_MAX) else {
            return Err(LocatorError::BadScheme(scheme.escape_debug().collect()));
        };
        if !starts || !scheme.bytes().all(good) {
            return Err(LocatorError::BadScheme(scheme.escape_debug().collect()));
        }
        if rest.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(LocatorError::BadCharacter(rest.escape_debug().collect()));
        }
        Ok(Locator { text: format!("{scheme}://{rest}").into(), scheme: end })
    }

    /// Reads a locator; a text without a scheme is an address of the transport `scheme`.
    pub fn parse_or(scheme: &str, text: &str) -> Result<Self, LocatorError> {
        if text.contains("://") { text.parse() } else { Locator::new(scheme, text) }
    }

    /// The transport's scheme.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.text[..usize::from(self.scheme)]
    }

    /// What follows `scheme://`.
    #[must_use]
    pub fn rest(&self) -> &str {
        &self.text[usize::from(self.scheme) + "://".len()..]
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Locator {
    type Err = LocatorError;
    fn from_str(text: &str) -> Result<Self, LocatorError> {
        if text.len() > Self::MAX {
            return Err(LocatorError::TooLong(text.len()));
        }
        match text.split_once("://") {
            Some((scheme, rest)) => Locator::new(scheme, rest),
            None => Err(LocatorError::NoScheme(text.escape_debug().collect())),
        }
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Locator {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Locator {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_text_round_trip() {
        let locator: Locator = "tcp://127.0.0.1:4000".parse().unwrap();
        assert_eq!((locator.scheme(), locator.rest()), ("tcp", "127.0.0.1:4000"));
        assert_eq!(locator.to_string(), "tcp://127.0.0.1:4000");
        assert_eq!(Locator::parse_or("tcp", "127.0.0.1:4000").unwrap(), locator);
        assert_eq!(Locator::parse_or("udp", "tcp://127.0.0.1:4000").unwrap(), locator);
        assert_eq!(serde_json::to_string(&locator).unwrap(), "\"tcp://127.0.0.1:4000\"");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| text.parse::<Locator>().unwrap_err().to_string();
        assert!(error("127.0.0.1:4000").contains("names no transport"));
        assert!(error("TCP://x").contains("scheme"));
        assert!(error("://x").contains("scheme"));
        assert!(error("tcp://a b").contains("space"));
        assert!(error("tcp://a\u{7}").contains("control"));
        assert!(error(&format!("tcp://{}", "a".repeat(300))).contains("too long"));
    }
}
