//! Holds a reference profile, which lists every key with its default, against the compiled defaults.

use std::collections::{BTreeMap, BTreeSet};

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Empty, Value};

use super::show::{PluginDefaults, tables, toml_text};
use super::{Profile, ProfileError};

/// Keys that every profile sets for itself; the reference shows an example.
const EXAMPLES: [&str; 2] = ["group.name", "group.secret"];

/// Every difference between the reference `text` and the compiled defaults, one line each; none when they agree.
///
/// Keys without a default stand in a comment of the form `# key = example`. `plugins` gives the defaults of plug-in
/// options; for plug-ins that it does not know, options are not compared.
///
/// # Errors
/// When the text is no TOML.
pub fn differences(text: &str, plugins: PluginDefaults<'_>) -> Result<Vec<String>, ProfileError> {
    let profile = Profile::default();
    let dict: Dict = Figment::from(Toml::string(text))
        .extract()
        .map_err(|e| super::explain(&e, "", &super::Origins::default()))?;
    let mut written = BTreeMap::new();
    for (table, values) in &dict {
        for (key, value) in values.as_dict().into_iter().flatten() {
            written.insert(format!("{table}.{key}"), toml_text(value));
        }
    }
    let commented = commented(text);
    let mut out = Vec::new();
    let mut known = BTreeSet::new();
    let mut open_tables = BTreeSet::new();
    for (table, values) in tables(&profile, plugins)? {
        let kind = values.iter().find(|(key, _)| key == "kind").and_then(|(_, v)| v.as_str());
        if kind.is_some_and(|kind| plugins(table, kind).is_none()) {
            open_tables.insert(table);
        }
        for (key, value) in &values {
            let full = format!("{table}.{key}");
            let default = match value {
                Value::Empty(_, Empty::None) => None,
                value => Some(toml_text(value)),
            };
            match (default, written.get(&full)) {
                _ if EXAMPLES.contains(&full.as_str()) => {}
                (Some(default), Some(value)) if *value != default => {
                    out.push(format!("{full} is {value} in the reference, {default} by default"));
                }
                (Some(default), None) => out.push(format!("{full} = {default} is missing")),
                (None, Some(_)) => out.push(format!("{full} has no default: comment it out")),
                (None, None) if !commented.contains(&full) => {
                    out.push(format!(
                        "{full}, which has no default, is missing: add a comment `# {key} = …`"
                    ));
                }
                _ => {}
            }
            known.insert(full);
        }
    }
    for key in written.keys().chain(&commented) {
        let table = key.split('.').next().unwrap_or_default();
        if !known.contains(key) && !open_tables.contains(table) {
            out.push(format!("{key} does not exist"));
        }
    }
    Ok(out)
}

/// Keys in comments of the form `# key = example`, with their tables.
fn commented(text: &str) -> BTreeSet<String> {
    let mut table = "";
    let mut out = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.split(']').next()) {
            table = name;
        } else if let Some((key, _)) = line.strip_prefix("# ").and_then(|l| l.split_once(" = "))
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            out.insert(format!("{table}.{key}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_are_compared() {
        let text = "[node]\nlisten = \"127.0.0.1:1\"\ncolour = 1\n# nick = \"maria\"\n# hat = \"red\"\n";
        let found = differences(text, &|_, _| None).unwrap();
        let has = |part: &str| found.iter().any(|line| line.contains(part));
        assert!(
            has("node.listen is \"127.0.0.1:1\" in the reference, \"127.0.0.1:0\" by default"),
            "{found:?}"
        );
        assert!(has("node.join = [] is missing"));
        assert!(has("node.data_dir, which has no default, is missing"));
        assert!(has("node.colour does not exist") && has("node.hat does not exist"));
        assert!(!has("node.nick"));
    }
}
