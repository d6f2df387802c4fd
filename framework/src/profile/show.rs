//! A profile as text: every value that counts, and where it came from.

use figment::value::{Dict, Empty, Num, Value};

use super::{Place, Profile, ProfileError};

/// What fills in the options that a plug-in's table does not mention: table and kind to the plug-in's defaults.
pub type PluginDefaults<'a> = &'a dyn Fn(&str, &str) -> Option<Dict>;

/// The whole profile as TOML with its secret blacked out; keys that somebody set say where.
///
/// # Errors
/// When a value cannot be written, which no loaded profile has.
pub fn show(profile: &Profile, plugins: PluginDefaults<'_>) -> Result<String, ProfileError> {
    let mut out = String::new();
    for (table, values) in tables(profile, plugins)? {
        out.push_str(&format!("[{table}]\n"));
        for (key, value) in &values {
            let line = match value {
                Value::Empty(_, Empty::None) => format!("# {key} is not set"),
                value => format!("{key} = {}", toml_text(value)),
            };
            match profile.origins.exact(&format!("{table}.{key}")) {
                Some(place) if *place != Place::BuiltIn => out.push_str(&format!("{line}  # {place}\n")),
                _ => out.push_str(&format!("{line}\n")),
            }
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    Ok(out)
}

/// The order in which tables are documented and shown.
pub(super) const TABLES: [&str; 14] = [
    "group",
    "node",
    "topology",
    "transport",
    "crypto",
    "codec",
    "discovery",
    "delivery",
    "detector",
    "roster",
    "history",
    "policy",
    "limits",
    "log",
];

/// A table's name, and its keys with their values.
pub(super) type Table = (&'static str, Vec<(String, Value)>);

/// All tables in their order, plug-in options filled in.
pub(super) fn tables(profile: &Profile, plugins: PluginDefaults<'_>) -> Result<Vec<Table>, ProfileError> {
    let wrong = |e: figment::Error| super::explain(&e, "", &profile.origins);
    let all = Value::serialize(profile).map_err(wrong)?;
    let mut out = Vec::new();
    for table in TABLES {
        let Some(dict) = all.find_ref(table).and_then(Value::as_dict) else { continue };
        let mut values = dict.clone();
        if let Some(kind) = dict.get("kind").and_then(Value::as_str) {
            for (key, value) in plugins(table, kind).unwrap_or_default() {
                values.entry(key).or_insert(value);
            }
        }
        let mut values: Vec<_> = values.into_iter().collect();
        // The kind says what the rest means, so it comes first.
        values.sort_by_key(|(key, _)| key != "kind");
        out.push((table, values));
    }
    Ok(out)
}

/// A value as TOML, on one line.
#[must_use]
pub fn toml_text(value: &Value) -> String {
    match value {
        Value::String(_, text) => toml_edit::Value::from(text.as_str()).to_string(),
        Value::Char(_, c) => toml_edit::Value::from(c.to_string()).to_string(),
        Value::Bool(_, b) => b.to_string(),
        Value::Num(_, Num::F32(n)) => toml_edit::Value::from(f64::from(*n)).to_string(),
        Value::Num(_, Num::F64(n)) => toml_edit::Value::from(*n).to_string(),
        Value::Num(_, n) => n
            .to_u128()
            .map(|n| n.to_string())
            .or_else(|| n.to_i128().map(|n| n.to_string()))
            .unwrap_or_default(),
        Value::Empty(..) => "\"\"".into(),
        Value::Array(_, items) => {
            format!("[{}]", items.iter().map(toml_text).collect::<Vec<_>>().join(", "))
        }
        Value::Dict(_, dict) => {
            let pair = |(key, value): (&String, &Value)| format!("{} = {}", toml_key(key), toml_text(value));
            format!("{{ {} }}", dict.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A key as TOML: quoted unless it is a bare one.
pub(super) fn toml_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        toml_edit::Value::from(key).to_string()
    }
}
