//! Settings of the mesh: the options of the profile's table `topology`.

use core::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use tertulia_core::option::{BadOption, within};
use tertulia_core::units::Span;

/// The fewest neighbours that hold a random mesh together.
pub const DEGREE_MIN: u8 = 3;
/// The most neighbours, short of everybody.
pub const DEGREE_MAX: u8 = 64;
/// The most members remembered to replace neighbours with.
pub(super) const PASSIVE_MAX: u16 = 1024;

/// How many neighbours a member chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Degree {
    /// Everybody: `"full"`.
    #[default]
    Full,
    /// So many.
    Of(u8),
}

/// How they are chosen, when not everybody is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// A small view of neighbours that have each other, and a larger one of others to replace them with (HyParView).
    #[default]
    Active,
    /// Each member picks some at random from the roster; links carry both ways.
    Pick,
}

/// Options of [`KIND`](super::KIND).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `"full"`, or a number from 3 to 64.
    pub degree: Degree,
    /// `"active"`, or `"pick"`; does nothing when `degree` is `"full"`.
    pub view: Choice,
    /// Members remembered to replace neighbours with, in an active view; 3 to 1024.
    pub passive: u16,
    /// How often two members exchange some of them; 100 ms to 1 hour.
    pub shuffle: Span,
    /// A fault put in on purpose, to prove that a test suite finds it. No profile can set it.
    #[serde(skip)]
    pub planted: Option<Planted>,
}

/// A fault put in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Whoever is displaced from an active view is not told.
    OneSided,
    /// A pick that is gone is not replaced.
    Unreplaced,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            degree: Degree::Full,
            view: Choice::Active,
            passive: 30,
            shuffle: Span::secs(10),
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
        if let Degree::Of(n) = self.degree {
            within("degree", n, DEGREE_MIN, DEGREE_MAX)?;
        }
        within("passive", self.passive, 3, PASSIVE_MAX)?;
        within("shuffle", self.shuffle, Span::millis(100), Span::secs(3600))
    }

    pub(super) fn shape(&self) -> Shape {
        let Degree::Of(n) = self.degree else { return Shape::Full };
        let degree = usize::from(n);
        match self.view {
            Choice::Pick => Shape::Pick(degree),
            Choice::Active => Shape::Active(degree),
        }
    }
}

/// Options as the protocol uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Full,
    Pick(usize),
    Active(usize),
}

impl Serialize for Degree {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Degree::Full => to.serialize_str("full"),
            Degree::Of(n) => to.serialize_u8(*n),
        }
    }
}

impl<'de> Deserialize<'de> for Degree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ReadDegree)
    }
}

struct ReadDegree;

impl Visitor<'_> for ReadDegree {
    type Value = Degree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"full\" or a number from {DEGREE_MIN} to {DEGREE_MAX}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Degree, E> {
        let shown = || text.chars().take(40).collect::<String>();
        if text == "full" { Ok(Degree::Full) } else { Err(refuse(&format!("`{}`", shown()))) }
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Degree, E> {
        u8::try_from(n).map(Degree::Of).map_err(|_| refuse(&n))
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Degree, E> {
        u8::try_from(n).map(Degree::Of).map_err(|_| refuse(&n))
    }
}

/// What is told of a value that is no degree.
fn refuse<E: Error>(shown: &dyn fmt::Display) -> E {
    E::custom(format!("{shown} is no degree: write \"full\" or a number from {DEGREE_MIN} to {DEGREE_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_set_options_and_nothing_else() {
        let sparse: Config = serde_json::from_str(r#"{ "degree": 4 }"#).unwrap();
        assert_eq!(sparse, Config { degree: Degree::Of(4), ..Config::default() });
        let written = serde_json::to_string(&Config::default()).unwrap();
        assert_eq!(written, r#"{"degree":"full","view":"active","passive":30,"shuffle":"10s"}"#);
        assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), Config::default());
        for wrong in [
            r#"{ "degre": 4 }"#,
            r#"{ "degree": "all" }"#,
            r#"{ "degree": -4 }"#,
            r#"{ "degree": 300 }"#,
            r#"{ "degree": 4.5 }"#,
            r#"{ "view": "choose" }"#,
            r#"{ "planted": "OneSided" }"#,
        ] {
            assert!(serde_json::from_str::<Config>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        assert_eq!(Config::default().check(), Ok(()));
        let sparse = Config { degree: Degree::Of(2), ..Config::default() };
        assert_eq!(sparse.check().unwrap_err().to_string(), "degree: 2 is not within 3 to 64");
        assert_eq!(Config { passive: 1, ..sparse }.check().unwrap_err().key, "degree");
        assert_eq!(Config { passive: 1, ..Config::default() }.check().unwrap_err().key, "passive");
        assert_eq!(
            Config { shuffle: Span::millis(9), ..Config::default() }.check().unwrap_err().key,
            "shuffle"
        );
    }
}
