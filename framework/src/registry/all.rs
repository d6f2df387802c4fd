//! All seams of a program.

use std::path::Path;
use std::sync::Arc;

use figment::value::Dict;
use serde::{Deserialize, Serialize};
use tertulia_core::id::GroupId;
use tertulia_core::topology::Topology;

use super::seam::{RegistryError, Seam};
use crate::bus::check_fit;
use crate::codec::{self, Codec, Json, Postcard};
use crate::crypto::{noise, plain};
use crate::discovery::keys::{Keys, KeysConfig};
use crate::discovery::service::Service;
use crate::discovery::{
    self, Discovery, Fixed, FixedConfig, Local, LocalConfig, Proxy, ProxyConfig, Seeds, SeedsConfig,
    runtime_dir,
};
use crate::link::{Crypto, CryptoCheck, Locator, Transport};
use crate::policy::{self, Policy};
use crate::profile::{Place, Profile, ProfileError};
use crate::store::{self, FileStore, MemoryStore, Store, StorePlace, data_home};

/// What a codec is built for: the longest payload.
#[derive(Clone, Copy, Debug)]
pub struct CodecPlace {
    /// `limits.message`, in bytes.
    pub limit: usize,
}

/// What a discovery is built for.
#[derive(Clone, Debug)]
pub struct DiscoveryPlace {
    /// The group to find.
    pub group: GroupId,
    /// The scheme of addresses without one.
    pub transport: String,
    /// The folder through which programs of this machine meet.
    pub runtime: std::path::PathBuf,
}

/// Every kind of plug-in, by name. Built in `main` and handed to what assembles a node.
pub struct Registry {
    /// Who is whose neighbour.
    pub topology: Seam<Box<dyn Topology>>,
    /// What links run over.
    pub transport: Seam<Arc<dyn Transport>>,
    /// What protects links.
    pub crypto: Seam<Arc<dyn Crypto>>,
    /// How payloads are written.
    pub codec: Seam<Arc<dyn Codec>, CodecPlace>,
    /// How members are found.
    pub discovery: Seam<Arc<dyn Discovery>, DiscoveryPlace>,
    /// Who is let in, and what is delivered.
    pub policy: Seam<Arc<dyn Policy>>,
    /// What is kept between runs; chosen by `node.store`.
    pub store: Seam<Arc<dyn Store>, StorePlace>,
}

/// The options of both suites here. `noise` takes the permission as well, so that one line changes the suite.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SuiteConfig {
    /// Links may run without encryption.
    allow_plaintext: bool,
    /// The key manager that authenticates members beside the suite.
    keys: KeysConfig,
}

/// A table without options.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

impl Registry {
    /// A registry of nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Registry {
            topology: Seam::new("topology"),
            transport: Seam::new("transport"),
            crypto: Seam::new("crypto"),
            codec: Seam::new("codec"),
            discovery: Seam::new("discovery"),
            policy: Seam::new("policy"),
            store: Seam::new("store"),
        }
    }

    /// Checks every choice of the profile and its options. All but the store are built and thrown away, for a builder
    /// may object to values; builders do no I/O.
    ///
    /// # Errors
    /// The line to correct.
    pub fn check(&self, profile: &Profile) -> Result<(), ProfileError> {
        let topology = self.topology.build(profile, &())?;
        let transport = self.transport.build(profile, &())?;
        let discovery = self.build_discovery(profile, GroupId::default())?;
        check_fit(profile, &*topology, &*transport, &*discovery)?;
        check_join(profile, &*transport)?;
        self.crypto.build(profile, &())?;
        self.build_codec(profile)?;
        self.policy.build(profile, &())?;
        self.services(profile)?;
        self.store.check(profile)
    }

    /// Seams and what is registered in them: name, kinds and each kind's options with defaults.
    #[must_use]
    pub fn list(&self) -> Vec<(&'static str, Vec<(String, Dict)>)> {
        fn entries<T, Cx>(seam: &Seam<T, Cx>) -> (&'static str, Vec<(String, Dict)>) {
            let all = seam.kinds().map(|k| (k.to_owned(), seam.defaults(k).cloned().unwrap_or_default()));
            (seam.name(), all.collect())
        }
        vec![
            entries(&self.topology),
            entries(&self.transport),
            entries(&self.crypto),
            entries(&self.codec),
            entries(&self.discovery),
            entries(&self.policy),
            entries(&self.store),
        ]
    }

    /// The options of a plug-in and their defaults, by the profile's table and the plug-in's name.
    #[must_use]
    pub fn defaults(&self, table: &str, kind: &str) -> Option<Dict> {
        match table {
            "topology" => self.topology.defaults(kind).cloned(),
            "transport" => self.transport.defaults(kind).cloned(),
            "crypto" => self.crypto.defaults(kind).cloned(),
            "codec" => self.codec.defaults(kind).cloned(),
            "discovery" => self.discovery.defaults(kind).cloned(),
            "policy" => self.policy.defaults(kind).cloned(),
            _ => None,
        }
    }

    /// The profile's codec.
    ///
    /// # Errors
    /// The line to correct.
    pub fn build_codec(&self, profile: &Profile) -> Result<Arc<dyn Codec>, ProfileError> {
        self.codec.build(profile, &CodecPlace { limit: profile.limits.message.bytes() })
    }

    /// The profile's discovery for `group`; folders are found through this process's environment.
    ///
    /// # Errors
    /// The line to correct.
    pub fn build_discovery(
        &self,
        profile: &Profile,
        group: GroupId,
    ) -> Result<Arc<dyn Discovery>, ProfileError> {
        let runtime = runtime_dir(|name| std::env::var_os(name));
        let transport = profile.transport.kind.clone();
        self.discovery.build(profile, &DiscoveryPlace { group, transport, runtime })
    }

    /// The services that somebody has to run for members of this profile: those of its discovery, and its key manager.
    ///
    /// # Errors
    /// The line to correct.
    pub fn services(&self, profile: &Profile) -> Result<Vec<Box<dyn Service>>, ProfileError> {
        let mut all = self.build_discovery(profile, GroupId::default())?.services();
        let keys = self.keys(profile)?.services(&profile.transport.kind);
        all.extend(keys.map_err(|why| no_keys(profile, why))?);
        Ok(all)
    }

    /// The profile's key manager, the table `crypto.keys`.
    ///
    /// # Errors
    /// The line to correct.
    pub fn keys(&self, profile: &Profile) -> Result<KeysConfig, ProfileError> {
        let Some(table) = profile.crypto.options.get("keys") else { return Ok(KeysConfig::default()) };
        table.deserialize().map_err(|error| no_keys(profile, error.to_string()))
    }

    /// A member's side of the profile's key manager, when members are authenticated by one. Reads the file with its
    /// public key.
    ///
    /// # Errors
    /// The line to correct.
    pub fn build_keys(&self, profile: &Profile) -> Result<Option<Keys>, ProfileError> {
        let config = self.keys(profile)?;
        if !config.authenticates() {
            return Ok(None);
        }
        let file = match profile.place("crypto.keys.public_key") {
            // As a secret's file: relative to the profile that names it.
            Place::File { name, .. } => Path::new(&name).with_file_name("").join(&config.public_key),
            _ => config.public_key.clone(),
        };
        let keys = Keys::open(&config, &profile.transport.kind, &file);
        keys.map(Some).map_err(|why| no_keys(profile, why))
    }

    /// The profile's store, its data directory found through this process's environment and locked.
    ///
    /// # Errors
    /// The line to correct, also when the data directory is taken.
    pub fn build_store(&self, profile: &Profile) -> Result<Arc<dyn Store>, ProfileError> {
        let place = StorePlace {
            explicit: profile.node.data_dir.clone(),
            home: data_home(|name| std::env::var_os(name)).ok(),
            group: profile.group.name.clone(),
        };
        self.store.build(profile, &place)
    }
}

/// A registry of what the framework itself brings: crypto `noise` and `plain`, codecs `postcard` and `json`, discovery
/// `static`, `local`, `seeds` and `proxy`, policy `open`, stores `file` and `memory`. Topologies and transports come from their own crates.
///
/// # Errors
/// None, as long as the names here differ.
pub fn built_in() -> Result<Registry, RegistryError> {
    let mut all = Registry::empty();
    all.crypto
        .add(noise::KIND, SuiteConfig::default(), |c, ()| checked(noise::build(&noise::Config {}), &c))?
        .add(plain::KIND, SuiteConfig::default(), |c, ()| checked(plain::build(&plain::Config {}), &c))?;
    all.codec
        .add(codec::kind::POSTCARD, NoOptions {}, |_, at| {
            ok::<Arc<dyn Codec>>(Arc::new(Postcard::new(at.limit)))
        })?
        .add(codec::kind::JSON, NoOptions {}, |_, at| ok::<Arc<dyn Codec>>(Arc::new(Json::new(at.limit))))?;
    all.discovery
        .add(discovery::kind::STATIC, FixedConfig::default(), |c: FixedConfig, at| {
            Fixed::build(&c, &at.transport).map(|d| Arc::new(d) as Arc<dyn Discovery>)
        })?
        .add(discovery::kind::LOCAL, LocalConfig::default(), |_, at| {
            ok::<Arc<dyn Discovery>>(Arc::new(Local::new(&at.runtime, &at.group)))
        })?
        .add(discovery::kind::SEEDS, SeedsConfig::default(), |c: SeedsConfig, at| {
            Seeds::build(c, &at.transport).map(|d| d as Arc<dyn Discovery>)
        })?
        .add(discovery::kind::PROXY, ProxyConfig::default(), |c: ProxyConfig, at| {
            Proxy::build(c, &at.transport).map(|d| d as Arc<dyn Discovery>)
        })?;
    all.policy.add(policy::OPEN, policy::Config::default(), |c, ()| ok(policy::build(&c)))?;
    all.store
        .add(store::kind::FILE, NoOptions {}, |_, at| {
            FileStore::open(at).map(|s| Arc::new(s) as Arc<dyn Store>)
        })?
        .add(store::kind::MEMORY, NoOptions {}, |_, _| {
            ok::<Arc<dyn Store>>(Arc::new(MemoryStore::default()))
        })?;
    Ok(all)
}

/// Refuses members' addresses that the transport can never dial, rather than to try them for long.
fn check_join(profile: &Profile, transport: &dyn Transport) -> Result<(), ProfileError> {
    for join in &profile.node.join {
        let checked = Locator::parse_or(transport.scheme(), join)
            .map_err(|error| error.to_string())
            .and_then(|at| transport.check_dial(&at).map_err(|error| error.reason().to_string()));
        checked.map_err(|reason| {
            let remedy = format!("write the address of a member as {}://HOST:PORT", transport.scheme());
            profile.error("node.join", reason, remedy)
        })?;
    }
    Ok(())
}

fn no_keys(profile: &Profile, why: String) -> ProfileError {
    profile.error("crypto.keys", why, "see `leader-chat keys generate`")
}

fn ok<T>(plugin: T) -> Result<T, std::convert::Infallible> {
    Ok(plugin)
}

/// The suite, if it has no objection to the profile.
fn checked(suite: Arc<dyn Crypto>, config: &SuiteConfig) -> Result<Arc<dyn Crypto>, String> {
    config.keys.check().map_err(|why| format!("keys: {why}"))?;
    suite.check(&CryptoCheck { allow_plaintext: config.allow_plaintext })?;
    Ok(suite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Sources;

    fn profile(set: &[&str]) -> Profile {
        let mut sources =
            Sources::new(&[]).text("p.toml", "[group]\nname = \"g\"\nsecret = \"correct horse battery\"\n");
        for set in set {
            sources = sources.set(set).unwrap();
        }
        Profile::load(&sources).unwrap()
    }

    #[test]
    fn plug_ins_are_built_by_name() {
        let all = built_in().unwrap();
        assert_eq!(all.crypto.build(&profile(&[]), &()).unwrap().kind(), "noise");
        assert_eq!(all.build_codec(&profile(&["codec.kind=json"])).unwrap().kind(), "json");
        assert_eq!(all.build_store(&profile(&["node.store=memory"])).unwrap().kind(), "memory");
        let found = all.build_discovery(&profile(&["discovery.kind=static"]), GroupId([0; 32])).unwrap();
        assert_eq!(found.kind(), "static");
        assert_eq!(all.policy.build(&profile(&[]), &()).unwrap().kind(), "open");
        assert_eq!(all.list().len(), 7);
        let error = all.check(&profile(&[])).unwrap_err().to_string();
        assert!(error.contains("there is no topology `ring`; there are none to choose from"), "{error}");
    }

    #[test]
    fn an_unknown_policy_is_refused() {
        let policy =
            |set: &str| built_in().unwrap().policy.build(&profile(&[set]), &()).map(|_| ()).unwrap_err();
        let error = policy("policy.kind=closed").to_string();
        assert!(error.ends_with("policy.kind: there is no policy `closed`; use one of `open`"), "{error}");
        let error = policy("policy.rate=5").to_string();
        assert!(error.contains("policy.rate: unknown key"), "{error}");
    }

    #[test]
    fn plaintext_needs_leave() {
        let all = built_in().unwrap();
        let error =
            all.crypto.build(&profile(&["crypto.kind=plain"]), &()).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("option --set crypto.kind: crypto.kind: "), "{error}");
        assert!(error.contains("crypto.allow_plaintext = true"), "{error}");
        let leave = profile(&["crypto.kind=plain", "crypto.allow_plaintext=true"]);
        assert_eq!(all.crypto.build(&leave, &()).unwrap().kind(), "plain");
    }

    #[test]
    fn a_taken_data_directory_names_the_option() {
        let all = built_in().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let sources = Sources::new(&[])
            .text("p.toml", "[group]\nname = \"g\"\nsecret = \"correct horse battery\"\n")
            .option("--data-dir", "node.data_dir", path);
        let profile = Profile::load(&sources).unwrap();
        let held = all.build_store(&profile).unwrap();
        assert_eq!(held.folder(), Some(folder.path()));
        let error = all.build_store(&profile).map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "option --data-dir: node.data_dir: {path}: another running member uses this data directory; \
                 stop it, or choose another with --data-dir"
            )
        );
    }
}
