//! Options of this transport.

use serde::{Deserialize, Serialize};
use tertulia_core::units::Size;

use super::KIND;
use crate::address::check_advertise;
use crate::option::BadOption;

/// Options of this transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `HOST` or `HOST:PORT` to make known instead of the bound address, for machines behind a forwarded port.
    pub advertise: Option<String>,
    /// The longest datagram, its IP and UDP headers not counted; the same for all members of a group. 1,200 bytes pass
    /// every path on which QUIC works (RFC 9000, 14); more is for networks that are known to carry it.
    pub datagram: Size,
    /// How often a lost record is sent again at most; 0 leaves all loss to delivery.
    pub resend: u8,
}

impl Default for Config {
    fn default() -> Self {
        Config { advertise: None, datagram: Size(1200), resend: 5 }
    }
}

impl Config {
    /// The length of datagrams, once all options are in range.
    pub(super) fn check(&self) -> Result<u16, BadOption> {
        check_advertise(KIND, self.advertise.as_deref())?;
        if self.resend > 20 {
            return Err(BadOption {
                key: "resend",
                reason: format!("{} is not within 0 to 20", self.resend),
            });
        }
        let size = u16::try_from(self.datagram.0).ok().filter(|size| (508..=65_000).contains(size));
        size.ok_or_else(|| BadOption {
            key: "datagram",
            reason: format!("{} bytes are not within 508B to 65000B", self.datagram.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_out_of_range_are_named() {
        assert_eq!(Config::default().check(), Ok(1200));
        let of = |datagram, resend| Config { datagram: Size(datagram), resend, advertise: None }.check();
        assert_eq!(of(507, 5).unwrap_err().key, "datagram");
        assert_eq!(
            of(65_001, 5).unwrap_err().to_string(),
            "datagram: 65001 bytes are not within 508B to 65000B"
        );
        assert_eq!(of(1 << 32, 5).unwrap_err().key, "datagram");
        assert_eq!(of(1200, 21).unwrap_err().key, "resend");
        let known_as = |text: &str| Config { advertise: Some(text.into()), ..Config::default() }.check();
        assert_eq!(known_as("example.org"), Ok(1200));
        assert_eq!(known_as("host:99999").unwrap_err().key, "advertise");
    }
}
