//! `tertulia plugins`: what a profile can choose from.

use figment::value::Value;
use tertulia::profile::toml_text;
use tertulia::registry::Registry;

/// Every kind of every seam with its options and their defaults.
#[must_use]
pub fn plugins(registry: &Registry) -> String {
    let mut lines = Vec::new();
    for (seam, kinds) in registry.list() {
        lines.push(format!("{seam}:"));
        for (kind, options) in kinds {
            let options: Vec<_> = options.iter().map(|(key, value)| option(key, value)).collect();
            lines.push(format!("  {kind:<16} {}", options.join(", ")).trim_end().to_owned());
        }
    }
    lines.join("\n")
}

/// An option with its default, or without one.
fn option(key: &str, value: &Value) -> String {
    if matches!(value, Value::Empty(..)) {
        format!("{key} (not set)")
    } else {
        format!("{key} = {}", toml_text(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_options_are_listed() {
        let text = plugins(&super::super::registry().unwrap());
        assert!(
            text.contains("  redundant-ring   retry = \"200ms\", stabilise = \"5s\", successors = 3\n"),
            "{text}"
        );
        assert!(
            text.contains("topology:\n  leader-star      election = { rule = \"ballot\" }, heartbeat"),
            "{text}"
        );
        assert!(
            text.contains("  mesh             degree = \"full\", passive = 30, shuffle = \"10s\", view"),
            "{text}"
        );
        assert!(text.contains("  tcp              advertise (not set), nodelay = true\n"), "{text}");
        let udp = "  udp              advertise (not set), datagram = \"1200B\", resend = 5\n";
        assert!(text.contains(udp), "{text}");
        let keys = r#"keys = { expire = "168h", manager = "", public_key = "", update = "1h" }"#;
        let noise = format!("crypto:\n  noise            allow_plaintext = false, {keys}\n");
        assert!(text.contains(&noise), "{text}");
        let seeds = "  seeds            expire = \"90s\", seeds = [], update = \"13s\"\n";
        assert!(text.contains(seeds), "{text}");
        let proxies = "  proxy            expire = \"20s\", proxies = [], update = \"5s\"\n";
        assert!(text.contains(proxies), "{text}");
        assert!(text.contains("  static           members = []\n"), "{text}");
        assert!(text.contains("store:\n  file\n  memory"), "{text}");
    }
}
