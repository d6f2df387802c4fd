//! The profile's tables that are not the engine's: `group`, `node`, `log`, and those of plug-ins.

use std::path::PathBuf;

use figment::value::Dict;
use serde::{Deserialize, Serialize};
pub use tertulia_core::peers::NICK_MAX;

use super::secret::SecretText;

/// The table `group`: whom to talk with. The group's id follows from name and secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupTable {
    /// The group's name.
    pub name: String,
    /// Its secret: `base64:` and 32 bytes, or a passphrase of at least 12 characters.
    pub secret: Option<SecretText>,
    /// A file with the secret instead, relative to the profile's folder.
    pub secret_file: Option<PathBuf>,
}

/// The table `node`: this member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeTable {
    /// The name that others see; without one, the user's name.
    pub nick: Option<String>,
    /// Where to listen: `HOST:PORT` or a locator; port 0 lets the system choose.
    pub listen: String,
    /// Members to join through; any one that lives suffices.
    pub join: Vec<String>,
    /// Where identity and address book are kept; without one, a numbered folder per group.
    pub data_dir: Option<PathBuf>,
    /// How they are kept: `file`, or `memory` for a member that is new each time.
    pub store: String,
}

impl Default for NodeTable {
    fn default() -> Self {
        NodeTable {
            nick: None,
            listen: "127.0.0.1:0".into(),
            join: Vec::new(),
            data_dir: None,
            store: "file".into(),
        }
    }
}

/// The table `log`. Logs go to standard error, never to standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogTable {
    /// What is logged: levels, and levels of parts, for example `warn` or `warn,tertulia=debug`.
    pub filter: String,
    /// A file to log to instead of standard error.
    pub file: Option<PathBuf>,
}

impl Default for LogTable {
    fn default() -> Self {
        LogTable { filter: "warn".into(), file: None }
    }
}

/// A plug-in's table: which one, and its own options, read by the registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginTable {
    /// The name that the plug-in is registered by.
    pub kind: String,
    /// Its options, not yet read.
    #[serde(flatten)]
    pub options: Dict,
}

impl PluginTable {
    /// The plug-in `kind` with the options' defaults.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        PluginTable { kind: kind.to_owned(), options: Dict::new() }
    }
}

/// What is wrong with a nick, if anything: it must fit a line and be one word, so that `/msg NICK TEXT` is clear.
#[must_use]
pub fn nick_problem(nick: &str) -> Option<String> {
    let odd = |c: &char| c.is_control() || c.is_whitespace() || misleads(*c);
    if nick.is_empty() {
        Some("a nick has at least one character".into())
    } else if nick.len() > NICK_MAX {
        Some(format!("a nick of {} bytes; at most {NICK_MAX} fit", nick.len()))
    } else if nick.chars().find(odd).is_some() {
        Some("a nick is one word without blanks, control or invisible characters".into())
    } else if nick.starts_with('/') {
        Some("a nick does not begin with `/`".into())
    } else {
        None
    }
}

/// What is wrong with a group's name, if anything.
#[must_use]
pub fn group_problem(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        Some("the group has no name".into())
    } else if name.len() > GROUP_MAX {
        Some(format!("a name of {} bytes; at most {GROUP_MAX} fit", name.len()))
    } else if name.chars().any(|c| c.is_control() || misleads(c)) {
        Some("control or invisible characters in the group's name".into())
    } else {
        None
    }
}

/// The longest group name, in bytes.
pub const GROUP_MAX: usize = 64;

/// Characters that make a name look like another: those that turn the direction of text, and those that cannot be seen
/// (`Default_Ignorable_Code_Point` of Unicode 16, and the blank Braille pattern).
fn misleads(c: char) -> bool {
    turns_direction(c) || is_unseen(c)
}

/// Characters that turn the direction of text and so can make it look like another.
#[must_use]
pub fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicks() {
        for good in ["maria", "m", "José", "x-1_2", "日本", &"ж".repeat(NICK_MAX / 2)] {
            assert_eq!(nick_problem(good), None, "{good}");
        }
        for unseen in
            ['\u{ad}', '\u{200b}', '\u{200d}', '\u{2060}', '\u{3164}', '\u{fe0f}', '\u{e0041}', '\u{2800}']
        {
            assert!(nick_problem(&format!("ana{unseen}")).is_some(), "{unseen:?}");
            assert!(group_problem(&format!("ana{unseen}")).is_some(), "{unseen:?}");
        }
        for bad in
            ["", "two words", "a\tb", "/quit", "a\u{202e}b", &"x".repeat(NICK_MAX + 1), &"ж".repeat(20)]
        {
            assert!(nick_problem(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn group_names() {
        assert_eq!(group_problem("The Friday people"), None);
        for bad in ["", "  ", "a\nb", &"x".repeat(65)] {
            assert!(group_problem(bad).is_some(), "{bad:?}");
        }
    }
}
