//! What is wrong with a profile, where, and what to do about it: always one line.

use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The compiled default.
    BuiltIn,
    /// A line of a profile; `name` is the path as it was given, or the name of a shipped profile or ticket.
    File {
        /// The file, as a person named it.
        name: String,
        /// The line, from 1; `None` for the whole file.
        line: Option<usize>,
    },
    /// An environment variable.
    Variable(String),
    /// A command line option, for example `--nick` or `--set a.b`.
    Option(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::BuiltIn => f.write_str("built-in default"),
            Place::File { name, line: Some(line) } => write!(f, "{name}:{line}"),
            Place::File { name, line: None } => f.write_str(name),
            Place::Variable(name) => write!(f, "environment variable {name}"),
            Place::Option(name) => write!(f, "option {name}"),
        }
    }
}

/// A profile that cannot be used. Programs print it and exit with 2.
///
/// Shown as one line: `place: key: reason; remedy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileError {
    /// Where the value stands.
    pub place: Place,
    /// The key, for example `topology.successors`; empty when there is none.
    pub key: String,
    /// What is wrong.
    pub reason: String,
    /// What to do; empty when the reason says it.
    pub remedy: String,
}

impl ProfileError {
    /// An error about `key`, which stands at `place`.
    pub fn new(
        place: Place,
        key: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        ProfileError { place, key: key.into(), reason: reason.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = self.place.to_string();
        if !self.key.is_empty() {
            line = format!("{line}: {}", self.key);
        }
        line = format!("{line}: {}", self.reason);
        if !self.remedy.is_empty() {
            line = format!("{line}; {}", self.remedy);
        }
        // Keys and values may hold anything: nothing in them may start a second line or steer a terminal.
        line.chars().try_for_each(|c| if c.is_control() { write!(f, "\u{fffd}") } else { write!(f, "{c}") })
    }
}

impl std::error::Error for ProfileError {}
