//! Settings of the rings: the options of the profile's table `topology`.

use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use tertulia_core::units::Span;

use super::planted::Planted;
use super::{KIND, KIND_REDUNDANT};
use crate::option::{BadOption, within};

/// Live successors that a member keeps links to at most.
pub const SUCCESSORS_MAX: u8 = 16;

/// Options of [`KIND`].
pub type Config = Settings<false>;
/// Options of [`KIND_REDUNDANT`].
pub type RedundantConfig = Settings<true>;

/// Options of a ring; the two kinds differ in the default and the range of `successors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Settings<const REDUNDANT: bool> {
    /// Live successors that a member keeps links to: 1 for a plain ring; the ring closes at once over one less
    /// than this many adjacent deaths. At most 16, and at least 2 in a redundant ring.
    pub successors: u8,
    /// How often a member compares its view with its successor's; 100 ms to 5 minutes.
    pub stabilise: Span,
    /// The first wait before an unacknowledged message is sent again; it doubles. 10 ms to 10 s.
    pub retry: Span,
    /// A fault put in on purpose, to prove that a test suite finds it. No profile can set it.
    #[serde(skip)]
    pub planted: Option<Planted>,
}

impl<const REDUNDANT: bool> Default for Settings<REDUNDANT> {
    fn default() -> Self {
        Settings {
            successors: if REDUNDANT { 3 } else { 1 },
            stabilise: Span::secs(5),
            retry: Span::millis(200),
            planted: None,
        }
    }
}

/// What a profile says; the kind's defaults stand for the rest.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Given {
    successors: Option<u8>,
    stabilise: Option<Span>,
    retry: Option<Span>,
}

impl<'de, const REDUNDANT: bool> Deserialize<'de> for Settings<REDUNDANT> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (given, kind) = (Given::deserialize(from)?, Self::default());
        Ok(Settings {
            successors: given.successors.unwrap_or(kind.successors),
            stabilise: given.stabilise.unwrap_or(kind.stabilise),
            retry: given.retry.unwrap_or(kind.retry),
            planted: None,
        })
    }
}

impl<const REDUNDANT: bool> Settings<REDUNDANT> {
    /// The name that a profile chooses this ring by.
    pub const KIND: &'static str = if REDUNDANT { KIND_REDUNDANT } else { KIND };
    /// The fewest successors allowed.
    pub const SUCCESSORS_MIN: u8 = if REDUNDANT { 2 } else { 1 };

    /// Looks whether every option is in its range.
    ///
    /// # Errors
    /// The first option that is not, and what would do.
    pub fn check(&self) -> Result<(), BadOption> {
        let least = Self::SUCCESSORS_MIN;
        if !(least..=SUCCESSORS_MAX).contains(&self.successors) {
            let reason = format!("{} is not within {least} to {SUCCESSORS_MAX}", self.successors);
            return Err(BadOption { key: "successors", reason });
        }
        within("stabilise", self.stabilise, Span::millis(100), Span::secs(300))?;
        within("retry", self.retry, Span::millis(10), Span::secs(10))
    }

    pub(super) fn tuning(&self) -> Tuning {
        Tuning {
            kind: Self::KIND,
            successors: usize::from(self.successors),
            stabilise: self.stabilise.0,
            retry: self.retry.0,
            planted: self.planted,
        }
    }
}

/// Options as the protocol uses them, whichever kind they came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tuning {
    pub(super) kind: &'static str,
    pub(super) successors: usize,
    pub(super) stabilise: Duration,
    pub(super) retry: Duration,
    pub(super) planted: Option<Planted>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_set_options_and_nothing_else() {
        let patient: RedundantConfig = serde_json::from_str(r#"{ "stabilise": "9s" }"#).unwrap();
        assert_eq!(patient, RedundantConfig { stabilise: Span::secs(9), ..RedundantConfig::default() });
        let written = serde_json::to_string(&Config::default()).unwrap();
        assert_eq!(written, r#"{"successors":1,"stabilise":"5s","retry":"200ms"}"#);
        assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), Config::default());
        for wrong in
            [r#"{ "sucessors": 2 }"#, r#"{ "planted": "DocumentedQuit" }"#, r#"{ "successors": -1 }"#]
        {
            assert!(serde_json::from_str::<Config>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn defaults_are_in_range() {
        assert_eq!(Config::default().check(), Ok(()));
        assert_eq!(RedundantConfig::default().check(), Ok(()));
        assert_eq!((Config::KIND, RedundantConfig::KIND), ("ring", "redundant-ring"));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let one = RedundantConfig { successors: 1, ..RedundantConfig::default() };
        assert_eq!(one.check().unwrap_err().to_string(), "successors: 1 is not within 2 to 16");
        assert!(super::super::build(one).is_err());
        assert_eq!(Config { successors: 17, ..Config::default() }.check().unwrap_err().key, "successors");
        let hasty = Config { retry: Span::millis(1), ..Config::default() };
        assert_eq!(hasty.check().unwrap_err().key, "retry");
        let slow = Config { stabilise: Span::secs(301), ..Config::default() };
        assert_eq!(slow.check().unwrap_err().key, "stabilise");
    }
}
