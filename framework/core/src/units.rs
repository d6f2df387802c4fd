//! Units in configuration: durations as `"250ms"`, sizes as `"64KiB"`.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A span of time, written `"250ms"`, `"13s"`, `"5m"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A size in bytes, written `"64KiB"`, `"1MiB"`, `"300B"`; powers of 1024, or of 1000 for `KB`, `MB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A text that is no duration or size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUnit {
    /// Not a duration.
    #[error("`{0}` is no duration: write for example \"250ms\", \"13s\" or \"5m\"")]
    Span(String),
    /// Not a size.
    #[error("`{0}` is no size: write for example \"300B\", \"64KiB\" or \"1MiB\"")]
    Size(String),
}

const SPANS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl Span {
    /// A span of whole milliseconds.
    #[must_use]
    pub const fn millis(ms: u64) -> Self {
        Span(Duration::from_millis(ms))
    }

    /// A span of whole seconds.
    #[must_use]
    pub const fn secs(s: u64) -> Self {
        Span(Duration::from_secs(s))
    }
}

impl Size {
    /// A size of whole KiB.
    #[must_use]
    pub const fn kib(n: u64) -> Self {
        Size(n << 10)
    }

    /// A size of whole MiB.
    #[must_use]
    pub const fn mib(n: u64) -> Self {
        Size(n << 20)
    }

    /// The size as a count of bytes in memory.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Splits `"250ms"` into its number and the scale of its unit.
fn split(text: &str, units: &[(&str, u64)]) -> Option<(f64, u64)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let scale = units.iter().find(|(name, _)| *name == unit.trim_start())?.1;
    Some((number.parse().ok()?, scale))
}

impl FromStr for Span {
    type Err = BadUnit;
    fn from_str(s: &str) -> Result<Self, BadUnit> {
        let (number, scale) = split(s, &SPANS).ok_or_else(|| BadUnit::Span(s.into()))?;
        let nanos = number * scale as f64;
        if nanos > 1e18 {
            return Err(BadUnit::Span(s.into()));
        }
        Ok(Span(Duration::from_nanos(nanos.round() as u64)))
    }
}

impl FromStr for Size {
    type Err = BadUnit;
    fn from_str(s: &str) -> Result<Self, BadUnit> {
        let (number, scale) = split(s, &SIZES).ok_or_else(|| BadUnit::Size(s.into()))?;
        let bytes = number * scale as f64;
        if bytes > 1e15 { Err(BadUnit::Size(s.into())) } else { Ok(Size(bytes.round() as u64)) }
    }
}

/// Writes `value` with the largest unit that divides it.
fn whole(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let smallest = units[units.len() - 1];
    let fits = |&&(_, scale): &&(&str, u64)| value >= scale && value.is_multiple_of(scale);
    let (name, scale) = units.iter().find(fits).copied().unwrap_or(smallest);
    write!(f, "{}{name}", value / scale)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return f.write_str("0s");
        }
        whole(f, u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX), &SPANS)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        whole(f, self.0, &[SIZES[0], SIZES[1], SIZES[2], SIZES[6]])
    }
}

macro_rules! serde_as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
serde_as_text!(Span);
serde_as_text!(Size);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_round_trip() {
        for text in ["250ms", "13s", "5m", "2h", "7us", "0s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for text in ["64KiB", "1MiB", "300B", "2GiB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("1.5s".parse::<Span>().unwrap(), Span::millis(1500));
        assert_eq!("1KB".parse::<Size>().unwrap(), Size(1000));
        for bad in ["", "5", "ms", "5 parsecs", "-1s", "1e400s"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
