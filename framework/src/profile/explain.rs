//! Turns what figment and serde found wrong into a [`ProfileError`].

use figment::error::{Actual, Kind};

use super::error::ProfileError;
use super::layers::PLUGINS;
use super::near;
use super::origins::Origins;
use super::ranges;

/// Explains `error`, which came up while `table` was read (empty for the whole profile).
pub(crate) fn explain(error: &figment::Error, table: &str, origins: &Origins) -> ProfileError {
    let mut path: Vec<&str> = table.split('.').filter(|part| !part.is_empty()).collect();
    path.extend(error.path.iter().map(String::as_str));
    let (reason, remedy) = match &error.kind {
        Kind::UnknownField(name, known) => {
            if path.last() != Some(&name.as_str()) {
                path.push(name);
            }
            let what = if path.len() == 1 { "unknown table" } else { "unknown key" };
            // Which plug-in it is stands beside the plug-in's own options.
            let kind = PLUGINS.contains(&table).then_some("kind");
            (what.to_owned(), near::remedy(name, kind.into_iter().chain(known.iter().copied())))
        }
        Kind::UnknownVariant(name, known) => {
            (format!("`{name}` is no value of this key"), near::remedy(name, known.iter().copied()))
        }
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            let key = path.join(".");
            let range = ranges::remedy(&key).or_else(|| width(expected));
            let reason = match (actual, &range) {
                (Actual::Unsigned(n), Some(_)) => format!("{n} is out of range"),
                (Actual::Signed(n), Some(_)) => format!("{n} is out of range"),
                _ => format!("{} where {} is expected", found(actual), wanted(expected)),
            };
            let number =
                matches!(actual, Actual::Unsigned(_) | Actual::Signed(_)) || ranges::remedy(&key).is_some();
            (reason, range.filter(|_| number).unwrap_or_else(|| example(&wanted(expected)).into()))
        }
        Kind::MissingField(name) => {
            path.push(name);
            (format!("`{name}` is missing"), format!("add `{name} = …`"))
        }
        Kind::Message(text) => match text.split_once(": write") {
            // Texts that are no duration or size bring their own remedy.
            Some((reason, example)) => {
                let key = path.join(".");
                (reason.to_owned(), ranges::remedy(&key).unwrap_or_else(|| format!("write{example}")))
            }
            None => (text.clone(), String::new()),
        },
        other => (other.to_string(), String::new()),
    };
    let key = path.join(".");
    ProfileError::new(origins.of(&key), key, reason, remedy)
}

/// What stands there. Text is shown up to a length that keeps the line readable.
fn found(actual: &Actual) -> String {
    match actual {
        Actual::Bool(b) => format!("`{b}`"),
        Actual::Unsigned(n) => format!("the number {n}"),
        Actual::Signed(n) => format!("the number {n}"),
        Actual::Float(n) => format!("the number {n}"),
        Actual::Str(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
        Actual::Seq => "a list".into(),
        Actual::Map => "a table".into(),
        Actual::Unit | Actual::Option => "nothing".into(),
        other => other.to_string(),
    }
}

/// The range of a number that a plug-in left to its type.
fn width(expected: &str) -> Option<String> {
    let most = match expected {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        "u64" | "usize" => u64::MAX,
        _ => return None,
    };
    Some(format!("write a number from 0 to {most}"))
}

/// How to write what is `wanted`.
fn example(wanted: &str) -> &'static str {
    match wanted {
        "text" => "write it in double quotes",
        "a list" => "write it as [\"…\", \"…\"]",
        "a table" => "write it as a [table]",
        "`true` or `false`" => "write true or false without quotes",
        _ => "write it as a plain number without quotes",
    }
}

/// What serde expected, in words.
fn wanted(expected: &str) -> String {
    match expected {
        "a string" | "string" | "path string" | "a borrowed string" | "identifier" => "text".into(),
        "bool" | "a boolean" => "`true` or `false`".into(),
        "a sequence" => "a list".into(),
        "f32" | "f64" => "a number".into(),
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" => "a whole number".into(),
        table if table.starts_with("struct ") || table == "a map" => "a table".into(),
        name if name.starts_with("enum ") => "text".into(),
        other => other.into(),
    }
}
