//! One kind of plug-in: names and builders.

use std::collections::BTreeMap;
use std::fmt::Display;

use figment::Figment;
use figment::providers::Serialized;
use figment::value::Dict;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::profile::{PluginTable, Profile, ProfileError, explain, near};

/// A plug-in that cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The name is taken.
    #[error("a {seam} called `{kind}` is registered already; give one of the two another name")]
    Twice {
        /// The kind of plug-in.
        seam: &'static str,
        /// Its name.
        kind: String,
    },
    /// The name cannot stand in a profile as it is.
    #[error("`{kind}` is no name for a {seam}; use a-z, 0-9 and `-`, beginning with a letter")]
    BadName {
        /// The kind of plug-in.
        seam: &'static str,
        /// Its name.
        kind: String,
    },
    /// The defaults cannot be written as a table.
    #[error("the options of the {seam} `{kind}` are no table of plain values: {reason}")]
    BadDefaults {
        /// The kind of plug-in.
        seam: &'static str,
        /// Its name.
        kind: String,
        /// What serde says.
        reason: String,
    },
}

type Build<T, Cx> = dyn Fn(&Dict, &Cx) -> Result<T, Refusal> + Send + Sync;
type Check = dyn Fn(&Dict) -> Result<(), Box<figment::Error>> + Send + Sync;

enum Refusal {
    Options(Box<figment::Error>),
    Plugin(String),
}

struct Entry<T, Cx> {
    defaults: Dict,
    check: Box<Check>,
    build: Box<Build<T, Cx>>,
}

/// Names and builders of one kind of plug-in. `T` is what is built, `Cx` what builders are given beside options.
pub struct Seam<T, Cx = ()> {
    name: &'static str,
    entries: BTreeMap<String, Entry<T, Cx>>,
}

impl<T, Cx> Seam<T, Cx> {
    /// An empty seam; `name` is the profile's table that chooses from it, or `store`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Seam { name, entries: BTreeMap::new() }
    }

    /// Registers `kind`. The profile's options are laid over `defaults`, read as `C`, and handed to `build`.
    ///
    /// A refusal that begins with the name of an option, as in `successors: 0 is too few`, is reported at that option's
    /// line.
    ///
    /// # Errors
    /// When the name is taken or unusable.
    pub fn add<C, E>(
        &mut self,
        kind: &str,
        defaults: C,
        build: impl Fn(C, &Cx) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<&mut Self, RegistryError>
    where
        C: Serialize + DeserializeOwned + 'static,
        E: Display,
    {
        let (seam, kind) = (self.name, kind.to_owned());
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !kind.starts_with(|c: char| c.is_ascii_lowercase()) || !kind.chars().all(word) {
            return Err(RegistryError::BadName { seam, kind });
        }
        if self.entries.contains_key(&kind) {
            return Err(RegistryError::Twice { seam, kind });
        }
        let defaults = match Figment::from(Serialized::defaults(defaults)).extract::<Dict>() {
            Ok(defaults) => defaults,
            Err(e) => return Err(RegistryError::BadDefaults { seam, kind, reason: e.to_string() }),
        };
        let entry = Entry {
            defaults,
            check: Box::new(|options| read::<C>(options).map(|_| ())),
            build: Box::new(move |options, cx| {
                let config = read::<C>(options).map_err(Refusal::Options)?;
                build(config, cx).map_err(|e| Refusal::Plugin(e.to_string()))
            }),
        };
        self.entries.insert(kind, entry);
        Ok(self)
    }

    /// The registered names, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.keys().map(String::as_str)
    }

    /// The seam's name: the profile's table, or `store`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The options of `kind` and their defaults.
    #[must_use]
    pub fn defaults(&self, kind: &str) -> Option<&Dict> {
        self.entries.get(kind).map(|entry| &entry.defaults)
    }

    /// Checks that the profile's choice exists and its options can be read, without building anything.
    ///
    /// # Errors
    /// The line to correct.
    pub fn check(&self, profile: &Profile) -> Result<(), ProfileError> {
        let (entry, options) = self.find(profile)?;
        (entry.check)(&options).map_err(|e| self.explain(profile, &e))
    }

    /// Builds what the profile chose.
    ///
    /// # Errors
    /// The line to correct.
    pub fn build(&self, profile: &Profile, cx: &Cx) -> Result<T, ProfileError> {
        let (entry, options) = self.find(profile)?;
        (entry.build)(&options, cx).map_err(|refusal| match refusal {
            Refusal::Options(e) => self.explain(profile, &e),
            Refusal::Plugin(reason) => {
                let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '`');
                let first = reason.split(word).next().unwrap_or_default().trim_matches('`');
                let key = if self.name == STORE && profile.node.data_dir.is_some() {
                    // Whatever a store objects to, it is this place.
                    "node.data_dir".to_owned()
                } else if entry.defaults.contains_key(first) {
                    format!("{}.{first}", self.name)
                } else {
                    self.kind_key()
                };
                let reason = reason.strip_prefix(&format!("{first}: ")).unwrap_or(&reason);
                profile.error(&key, reason, "")
            }
        })
    }

    /// The entry that the profile names, and its defaults with the profile's options over them.
    fn find(&self, profile: &Profile) -> Result<(&Entry<T, Cx>, Dict), ProfileError> {
        let table = table(profile, self.name);
        let Some(entry) = self.entries.get(&table.kind) else {
            let mut remedy = near::remedy(&table.kind, self.kinds());
            if remedy.starts_with("did") {
                let all: Vec<&str> = self.kinds().collect();
                remedy = format!("{remedy} There are: {}", all.join(", "));
            }
            return Err(profile.error(
                &self.kind_key(),
                format!("there is no {} `{}`", self.name, table.kind),
                remedy,
            ));
        };
        let mut options = entry.defaults.clone();
        for (key, value) in table.options {
            options.insert(key, value);
        }
        Ok((entry, options))
    }

    /// The key that names the plug-in.
    fn kind_key(&self) -> String {
        if self.name == STORE { "node.store".into() } else { format!("{}.kind", self.name) }
    }

    fn explain(&self, profile: &Profile, error: &figment::Error) -> ProfileError {
        explain(error, self.name, &profile.origins)
    }
}

/// The seam that is chosen by `node.store` rather than by a table.
pub(super) const STORE: &str = "store";

/// The profile's choice for a seam.
fn table(profile: &Profile, seam: &str) -> PluginTable {
    match seam {
        "topology" => profile.topology.clone(),
        "transport" => profile.transport.clone(),
        "crypto" => profile.crypto.clone(),
        "codec" => profile.codec.clone(),
        "discovery" => profile.discovery.clone(),
        "policy" => profile.policy.clone(),
        _ => PluginTable::new(&profile.node.store),
    }
}

fn read<C: DeserializeOwned>(options: &Dict) -> Result<C, Box<figment::Error>> {
    Figment::from(Serialized::defaults(options)).extract().map_err(Box::new)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use tertulia_core::units::Span;

    use super::*;
    use crate::profile::Sources;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Ring {
        successors: u32,
        ping: Span,
    }

    fn seam() -> Seam<u32, u32> {
        let mut seam = Seam::new("topology");
        let build = |config: Ring, least: &u32| {
            if config.successors < *least {
                return Err(format!(
                    "successors: {} is too few, at least {least} are needed",
                    config.successors
                ));
            }
            Ok(config.successors)
        };
        seam.add("ring", Ring { successors: 1, ping: Span::secs(1) }, build)
            .and_then(|s| s.add("redundant-ring", Ring { successors: 3, ping: Span::secs(1) }, build))
            .unwrap();
        seam
    }

    fn profile(text: &str, set: &[&str]) -> Profile {
        let group = "[group]\nname = \"g\"\nsecret = \"correct horse battery\"\n";
        let mut sources = Sources::new(&[]).text("p.toml", &format!("{group}{text}"));
        for set in set {
            sources = sources.set(set).unwrap();
        }
        Profile::load(&sources).unwrap()
    }

    #[test]
    fn options_are_laid_over_the_defaults_of_the_kind() {
        let seam = seam();
        assert_eq!(seam.build(&profile("", &[]), &1).unwrap(), 1);
        assert_eq!(seam.build(&profile("[topology]\nkind = \"redundant-ring\"\n", &[]), &2).unwrap(), 3);
        assert_eq!(seam.build(&profile("", &["topology.successors=7"]), &1).unwrap(), 7);
        assert_eq!(seam.kinds().collect::<Vec<_>>(), ["redundant-ring", "ring"]);
        assert_eq!(seam.defaults("ring").unwrap().len(), 2);
    }

    #[test]
    fn what_is_wrong_names_its_line() {
        let cases = [
            (
                "[topology]\nkind = \"rnig\"\n",
                "p.toml:5: topology.kind: there is no topology `rnig`; did you mean `ring`? There are: redundant-ring, ring",
            ),
            (
                "[topology]\nkind = \"star\"\n",
                "p.toml:5: topology.kind: there is no topology `star`; use one of `redundant-ring`, `ring`",
            ),
            (
                "[topology]\nkind = \"ring\"\nsucessors = 2\n",
                "p.toml:6: topology.sucessors: unknown key; did you mean `successors`?",
            ),
            ("[topology]\nkid = \"ring\"\n", "p.toml:5: topology.kid: unknown key; did you mean `kind`?"),
            (
                "[topology]\ncolour = 2\n",
                "p.toml:5: topology.colour: unknown key; use one of `kind`, `successors`, `ping`",
            ),
            (
                "[topology]\nsuccessors = \"two\"\n",
                "p.toml:5: topology.successors: the text \"two\" where a whole number is expected; write it as a plain number without quotes",
            ),
            (
                "[topology]\nsuccessors = -1\n",
                "p.toml:5: topology.successors: -1 is out of range; write a number from 0 to 4294967295",
            ),
            (
                "[topology]\nping = \"soon\"\n",
                "p.toml:5: topology.ping: `soon` is no duration; write for example \"250ms\", \"13s\" or \"5m\"",
            ),
            (
                "[topology]\nsuccessors = 0\n",
                "p.toml:5: topology.successors: 0 is too few, at least 1 are needed",
            ),
        ];
        for (text, line) in cases {
            assert_eq!(seam().build(&profile(text, &[]), &1).unwrap_err().to_string(), line);
        }
        let set = seam().check(&profile("", &["topology.kind=rings"])).unwrap_err().to_string();
        assert!(
            set.starts_with("option --set topology.kind: topology.kind: there is no topology `rings`"),
            "{set}"
        );
    }

    #[test]
    fn names_are_taken_once() {
        let mut seam = seam();
        let build = |_: Dict, _: &u32| Ok::<_, String>(0);
        let twice = seam.add("ring", Dict::new(), build).map(|_| ()).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "a topology called `ring` is registered already; give one of the two another name"
        );
        for bad in ["", "Ring", "a b", "-x", "1x"] {
            let error = seam.add(bad, Dict::new(), build).map(|_| ()).unwrap_err();
            assert!(matches!(error, RegistryError::BadName { .. }), "{bad}");
        }
    }
}
