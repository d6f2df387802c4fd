//! The range of every number in a profile, and values that contradict each other. The one place for both.

use figment::value::Value;
use tertulia_core::config::Scope;
use tertulia_core::message;
use tertulia_core::units::{Size, Span};

use super::Profile;
use super::error::ProfileError;

/// The least and the greatest value of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Range {
    Count(u64, u64),
    Bytes(Size, Size),
    Time(Span, Span),
}

use Range::{Bytes, Count, Time};

const fn ms(n: u64) -> Span {
    Span::millis(n)
}
const fn s(n: u64) -> Span {
    Span::secs(n)
}
const KIB64: Size = Size::kib(64);
const GIB: Size = Size::mib(1024);

/// Every number of the engine's tables. A test holds this list against the tables.
pub(super) const RANGES: &[(&str, Range)] = &[
    ("delivery.window", Bytes(KIB64, GIB)),
    ("delivery.stall", Time(ms(50), s(60))),
    ("delivery.progress", Time(ms(1), s(5))),
    ("delivery.pull_after", Time(ms(1), s(10))),
    ("delivery.retry_max", Time(ms(50), s(60))),
    ("delivery.pull_size", Bytes(Size::kib(4), Size::mib(64))),
    ("delivery.gap_after", Time(ms(100), s(600))),
    ("delivery.delivered_after", Time(ms(100), s(600))),
    ("detector.interval", Time(ms(10), s(3600))),
    ("detector.timeout", Time(ms(10), s(300))),
    ("detector.indirect", Count(0, 32)),
    ("detector.suspicion", Time(ms(10), s(3600))),
    ("detector.suspicion_closed", Time(ms(10), s(3600))),
    ("roster.max", Count(2, 1_000_000)),
    ("roster.forget", Time(s(1), s(30 * 24 * 3600))),
    ("roster.book", Count(1, 65_536)),
    ("roster.rejoin", Time(ms(100), s(3600))),
    ("history.keep", Count(0, 10_000_000)),
    ("history.keep_bytes", Bytes(KIB64, Size::mib(16 * 1024))),
    ("limits.message", Bytes(Size(256), Size(message::PAYLOAD_MAX as u64))),
    ("limits.pending", Bytes(KIB64, GIB)),
    ("limits.ahead", Bytes(KIB64, GIB)),
    ("limits.links", Count(2, 65_536)),
    ("limits.lane_control", Bytes(KIB64, Size::mib(256))),
    ("limits.lane_data", Bytes(KIB64, GIB)),
    ("limits.lane_repair", Bytes(KIB64, GIB)),
    ("limits.handshakes", Count(1, 4096)),
    ("limits.handshake", Time(ms(100), s(60))),
    ("limits.inbox", Bytes(KIB64, GIB)),
];

impl Range {
    /// True when `value` lies within; values of other types are for serde to refuse.
    fn holds(self, value: &Value) -> bool {
        match self {
            Count(least, most) => {
                value.to_u128().is_none_or(|n| (u128::from(least)..=u128::from(most)).contains(&n))
            }
            Bytes(least, most) => {
                value.as_str().and_then(|t| t.parse().ok()).is_none_or(|v: Size| (least..=most).contains(&v))
            }
            Time(least, most) => {
                value.as_str().and_then(|t| t.parse().ok()).is_none_or(|v: Span| (least..=most).contains(&v))
            }
        }
    }

    fn remedy(self) -> String {
        match self {
            Count(least, most) => format!("write a number from {least} to {most}"),
            Bytes(least, most) => format!("write a size from \"{least}\" to \"{most}\""),
            Time(least, most) => format!("write a time from \"{least}\" to \"{most}\""),
        }
    }
}

/// What may be written at `key`, when it is one of the numbers.
pub(super) fn remedy(key: &str) -> Option<String> {
    RANGES.iter().find(|(name, _)| *name == key).map(|(_, range)| range.remedy())
}

/// Checks every number's range, then what contradicts what.
///
/// # Errors
/// The first value that is out of range or contradicts another.
pub fn check(profile: &Profile) -> Result<(), ProfileError> {
    let wrong = |e: figment::Error| super::explain(&e, "", &profile.origins);
    let values = Value::serialize(profile).map_err(wrong)?;
    for (key, range) in RANGES {
        let Some(value) = values.find_ref(key) else { continue };
        if !range.holds(value) {
            let shown = value.as_str().map_or_else(
                || value.to_u128().map(|n| n.to_string()).unwrap_or_default(),
                ToOwned::to_owned,
            );
            return Err(profile.error(key, format!("{shown} is out of range"), range.remedy()));
        }
    }
    contradictions(profile)
}

/// One pair of keys: the first must not be greater than the second.
struct Order {
    low: &'static str,
    high: &'static str,
    why: &'static str,
    broken: fn(&Profile) -> bool,
}

const ORDERS: &[Order] = &[
    Order {
        low: "limits.message",
        high: "limits.pending",
        why: "a message of the greatest size could never be published",
        broken: |p| p.limits.message > p.limits.pending,
    },
    Order {
        low: "limits.message",
        high: "limits.ahead",
        why: "a message of the greatest size could never be repaired",
        broken: |p| p.limits.message > p.limits.ahead,
    },
    Order {
        low: "limits.message",
        high: "limits.lane_data",
        why: "a message of the greatest size would fit no lane",
        broken: |p| p.limits.message > p.limits.lane_data,
    },
    Order {
        low: "limits.message",
        high: "limits.lane_repair",
        why: "a message of the greatest size would fit no lane",
        broken: |p| p.limits.message > p.limits.lane_repair,
    },
    Order {
        low: "limits.message",
        high: "limits.inbox",
        why: "a message of the greatest size could never be delivered",
        broken: |p| p.limits.message > p.limits.inbox,
    },
    Order {
        low: "limits.message",
        high: "delivery.window",
        why: "a message of the greatest size would never be let through",
        broken: |p| p.limits.message > p.delivery.window,
    },
    Order {
        low: "delivery.window",
        high: "history.keep_bytes",
        why: "what is on its way would not be kept until it arrived",
        broken: |p| p.delivery.window > p.history.keep_bytes,
    },
    Order {
        low: "delivery.pull_size",
        high: "limits.lane_repair",
        why: "the answer to a pull would fit no lane",
        broken: |p| p.delivery.pull_size > p.limits.lane_repair,
    },
    Order {
        low: "delivery.pull_after",
        high: "delivery.retry_max",
        why: "the first try would come after the longest pause",
        broken: |p| p.delivery.pull_after > p.delivery.retry_max,
    },
    Order {
        low: "detector.suspicion_closed",
        high: "detector.suspicion",
        why: "a closed connection is the surer sign of the two",
        broken: |p| p.detector.suspicion_closed > p.detector.suspicion,
    },
];

fn contradictions(profile: &Profile) -> Result<(), ProfileError> {
    for order in ORDERS {
        if (order.broken)(profile) {
            // Whoever set one of the two is told; when both were set, the lower one.
            let (key, other, how) = if profile.is_set(order.low) || !profile.is_set(order.high) {
                (order.low, order.high, "greater")
            } else {
                (order.high, order.low, "less")
            };
            let remedy = if how == "greater" {
                format!("lower it, or raise {other}")
            } else {
                format!("raise it, or lower {other}")
            };
            return Err(profile.error(key, format!("{how} than {other}: {}", order.why), remedy));
        }
    }
    let detector = &profile.detector;
    if detector.timeout.0 > detector.interval.0.saturating_mul(10) {
        let by_interval = profile.is_set("detector.interval") && !profile.is_set("detector.timeout");
        let (key, remedy) = if by_interval {
            ("detector.interval", "raise it, or lower detector.timeout")
        } else {
            ("detector.timeout", "lower it, or raise detector.interval")
        };
        let reason = "detector.timeout is more than ten times detector.interval: probes would pile up";
        return Err(profile.error(key, reason, remedy));
    }
    if profile.roster.scope == Scope::Group && profile.roster.max > 1024 {
        return Err(profile.error(
            "roster.max",
            format!("{} members with roster.scope = \"group\", which lists every one", profile.roster.max),
            "write at most 1024, or set roster.scope = \"view\"",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// True for values that are numbers, sizes or times.
    fn is_number(value: &Value) -> bool {
        let unit = |t: &str| t.parse::<Span>().is_ok() || t.parse::<Size>().is_ok();
        value.to_u128().is_some() || value.as_str().is_some_and(unit)
    }

    #[test]
    fn every_number_has_a_range_that_holds_its_default() {
        let values = Value::serialize(Profile::default()).unwrap();
        let mut numbers = Vec::new();
        for (table, inner) in values.as_dict().unwrap() {
            for (key, value) in inner.as_dict().unwrap() {
                if is_number(value) {
                    numbers.push(format!("{table}.{key}"));
                }
            }
        }
        let mut listed: Vec<_> = RANGES.iter().map(|(key, _)| (*key).to_owned()).collect();
        listed.sort();
        assert_eq!(numbers, listed);
        check(&Profile::default()).unwrap();
    }

    #[test]
    fn every_contradiction_is_found() {
        for order in ORDERS {
            let mut profile = Profile::default();
            assert!(!(order.broken)(&profile), "{} {}", order.low, order.high);
            match order.high {
                "limits.pending" => profile.limits.pending = KIB64,
                "limits.ahead" => profile.limits.ahead = KIB64,
                "limits.lane_data" => profile.limits.lane_data = KIB64,
                "limits.lane_repair" => profile.limits.lane_repair = KIB64,
                "limits.inbox" => profile.limits.inbox = KIB64,
                "delivery.window" => profile.delivery.window = KIB64,
                "history.keep_bytes" => profile.history.keep_bytes = KIB64,
                "delivery.retry_max" => profile.delivery.pull_after = s(3),
                "detector.suspicion" => profile.detector.suspicion_closed = s(3),
                other => panic!("no case for {other}"),
            }
            assert!((order.broken)(&profile), "{} {}", order.low, order.high);
            assert!(check(&profile).is_err());
        }
    }
}
