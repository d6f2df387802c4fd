//! What `log.filter` may say. The program that logs reads it again, more generously: to it, a misspelt level is a target.

use super::near;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Checks `LEVEL` or `TARGET=LEVEL`, or several of them with commas between.
///
/// # Errors
/// The reason why it is none, and what to do about it.
pub(super) fn check(filter: &str) -> Result<(), (String, String)> {
    for part in filter.split(',').map(str::trim) {
        let (target, level) = part.split_once('=').map_or((None, part), |(t, l)| (Some(t), l));
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            return Err((format!("`{level}` is no level"), near::remedy(level, LEVELS)));
        }
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
        if target.is_some_and(|target| target.is_empty() || !target.chars().all(word)) {
            let reason = format!("`{}` is no part of a program", target.unwrap_or_default());
            return Err((reason, "write for example warn or tertulia=debug".into()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_targets() {
        for good in ["warn", "OFF", "tertulia=debug", "warn, tertulia::bus=trace,tertulia_core=info"] {
            check(good).unwrap();
        }
        for bad in ["", "[[[", "debgu", "warn,", "tertulia", "tertulia=", "=warn", "a b=warn", "x[y]=warn"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        let (reason, remedy) = check("debgu").unwrap_err();
        assert_eq!((&*reason, &*remedy), ("`debgu` is no level", "did you mean `debug`?"));
    }
}
