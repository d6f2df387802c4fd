//! Values from the environment and from options, and laying one source over another.

use std::ffi::OsStr;

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Empty, Value};

use super::error::{Place, ProfileError};
use super::origins::Origins;
use super::sources::Setting;

const PREFIX: &str = "TERTULIA_";

/// Parts of a key at most.
const KEY_DEPTH: usize = 8;

/// Tables in which the options belong to the `kind`.
pub(crate) const PLUGINS: [&str; 6] = ["topology", "transport", "crypto", "codec", "discovery", "policy"];

/// Reads `TERTULIA_A__B`; `None` for a variable that is no profile key.
pub(super) fn variable(name: &OsStr, value: &OsStr) -> Result<Option<Setting>, ProfileError> {
    let Some(rest) = name.to_str().and_then(|n| n.strip_prefix(PREFIX)) else { return Ok(None) };
    if !rest.contains("__") {
        return Ok(None);
    }
    let place = Place::Variable(format!("{PREFIX}{rest}"));
    let key = rest.to_lowercase().replace("__", ".");
    check_key(&key, &place, "name it TERTULIA_TABLE__KEY")?;
    let Some(text) = value.to_str() else {
        return Err(ProfileError::new(place, key, "the value is no UTF-8 text", "set it to text"));
    };
    Ok(Some(Setting { key, value: Value::from(text), place }))
}

/// Reads `a.b=value`.
pub(super) fn assignment(text: &str) -> Result<Setting, ProfileError> {
    let form = "write --set table.key=value";
    let Some((key, value)) = text.split_once('=') else {
        // The text is not repeated: it may be a secret.
        return Err(ProfileError::new(Place::Option("--set".into()), "", "there is no `=` in it", form));
    };
    let key = key.trim().to_owned();
    let place = Place::Option(format!("--set {key}"));
    check_key(&key, &place, form)?;
    Ok(Setting { key, value: Value::from(value.trim()), place })
}

fn check_key(key: &str, place: &Place, remedy: &str) -> Result<(), ProfileError> {
    let word =
        |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    // No plug-in nests its options anywhere near as deep.
    if (2..=KEY_DEPTH).contains(&key.split('.').count()) && key.split('.').all(word) {
        return Ok(());
    }
    Err(ProfileError::new(place.clone(), "", "this names no table and key", remedy))
}

/// Gives a text from outside the type that its key asks for: text stays text, a list may be separated by commas,
/// all else is a TOML value, or text when it is none.
fn typed(value: &Value, default: Option<&Value>) -> Value {
    let Value::String(_, text) = value else { return value.clone() };
    let parsed = toml_value(text);
    match default {
        Some(Value::String(..) | Value::Empty(_, Empty::None)) => match parsed {
            Some(quoted @ Value::String(..)) => quoted,
            _ => value.clone(),
        },
        Some(Value::Array(..)) => match parsed {
            Some(list @ Value::Array(..)) => list,
            Some(Value::String(_, quoted)) => list(&quoted),
            _ => list(text),
        },
        _ => parsed.unwrap_or_else(|| value.clone()),
    }
}

/// The parts of `text` between commas.
fn list(text: &str) -> Value {
    Value::from(text.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>())
}

/// `text` as one TOML value.
fn toml_value(text: &str) -> Option<Value> {
    if text.contains('\n') {
        return None;
    }
    Figment::from(Toml::string(&format!("v = {text}"))).find_value("v").ok()
}

/// Lays one source's settings over what there is.
pub(super) fn overlay(
    base: Figment,
    settings: &[Setting],
    defaults: &Value,
    origins: &mut Origins,
) -> Result<Figment, Box<figment::Error>> {
    if settings.is_empty() {
        return Ok(base);
    }
    let mut layer = Figment::new();
    for setting in settings {
        let value = typed(&setting.value, defaults.find_ref(&setting.key));
        layer = layer.merge(Serialized::default(&setting.key, value));
    }
    let layer: Dict = layer.extract().map_err(Box::new)?;
    let merged = merge(&base, layer, origins)?;
    for setting in settings {
        for (at, _) in setting.key.match_indices('.') {
            // A value that becomes a table by this setting is no longer what was written before.
            let above = &setting.key[..at];
            if base.find_value(above).is_ok_and(|value| value.as_dict().is_none()) {
                origins.note(above, setting.place.clone());
            }
        }
        origins.note(&setting.key, setting.place.clone());
    }
    Ok(merged)
}

/// Lays `layer` over `base`. Where the layer changes a plug-in's kind or the form of the secret, what `base` said
/// about it goes.
pub(super) fn merge(
    base: &Figment,
    layer: Dict,
    origins: &mut Origins,
) -> Result<Figment, Box<figment::Error>> {
    let mut below: Dict = base.extract().map_err(Box::new)?;
    for table in PLUGINS {
        let kind = layer.get(table).and_then(|t| t.find_ref("kind"));
        let before = below.get(table).and_then(|t| t.find_ref("kind"));
        if kind.is_some_and(|kind| before.is_none_or(|before| before.as_str() != kind.as_str())) {
            below.remove(table);
            origins.forget(table);
        }
    }
    if let (Some(Value::Dict(_, above)), Some(Value::Dict(_, group))) =
        (layer.get("group"), below.get_mut("group"))
        && (above.contains_key("secret") || above.contains_key("secret_file"))
    {
        for key in ["secret", "secret_file"] {
            group.remove(key);
            origins.forget(&format!("group.{key}"));
        }
    }
    Ok(Figment::from(Serialized::defaults(below)).merge(Serialized::defaults(layer)))
}
