//! `leader-chat keys`: the RSA key manager of the document.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tertulia::crypto::rsa::RsaKey;
use tertulia::discovery::keys::{KIND, manager_pair};
use tertulia::profile::Profile;
use tertulia::registry::Registry;

use super::PROFILE;
use crate::chat::program::print;
use crate::cli::{Failure, ServeOptions, SourceOptions};

/// The name of the service, and of the file with its public key.
const SERVICE: &str = "keys-0";
const PUBLIC: &str = "manager.pub.pem";

/// Options of `leader-chat keys`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct KeysOptions {
    /// Something else than running it
    #[command(subcommand)]
    pub command: Option<KeysCommand>,
    /// As of every service.
    #[command(flatten)]
    pub serve: ServeOptions,
}

/// What the key manager does beside vouching for members.
#[derive(Subcommand, Clone, Debug)]
pub enum KeysCommand {
    /// Make the key manager's own keys, and write the public one to a file for the members
    Generate(GenerateOptions),
}

/// Options of `leader-chat keys generate`.
#[derive(Args, Clone, Debug)]
pub struct GenerateOptions {
    /// Which profile.
    #[command(flatten)]
    pub source: SourceOptions,
    /// Where the services keep their state, each in a folder of its own
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Where the file manager.pub.pem is written
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub output: PathBuf,
}

impl KeysOptions {
    /// Does what the options say.
    ///
    /// # Errors
    /// Why it could not, or how it ended badly.
    pub fn run(mut self, registry: &Registry) -> Result<(), Failure> {
        if let Some(KeysCommand::Generate(generate)) = self.command.take() {
            return print(&generate.run(registry)?);
        }
        self.serve.source = self.serve.source.or_profile(PROFILE);
        self.serve.kind = Some(KIND);
        self.serve.run(registry, None)
    }
}

impl GenerateOptions {
    /// Makes the pair, unless it is there already, and writes its public half; tells where both are.
    fn run(self, registry: &Registry) -> Result<String, Failure> {
        let profile = Profile::load(&self.source.or_profile(PROFILE).sources()?)?;
        registry.check(&profile)?;
        let serve = ServeOptions { data_dir: self.data_dir, ..ServeOptions::default() };
        let store = serve.store(&profile, registry, SERVICE)?;
        let Some(folder) = store.folder().map(Path::to_owned) else {
            return Err(Failure::usage(
                "node.store: the key manager's key has to be kept; set it to \"file\"",
            ));
        };
        let (pair, new) = manager_pair(&*store).map_err(|error| Failure::new(error.to_string()))?;
        let file = self.output.join(PUBLIC);
        write(&file, &pair.public())?;
        let made = if new { "made" } else { "there is already" };
        Ok(format!(
            "{made}: the key manager's private key, which stays in {}\n\
             wrote {}, its public key: copy it to every member\n\
             run:  leader-chat keys\n\
             then: members and proxies with --set crypto.keys.public_key={}",
            folder.display(),
            file.display(),
            file.display(),
        ))
    }
}

/// Writes the public key, never over another one.
fn write(file: &Path, key: &RsaKey) -> Result<(), Failure> {
    let shown = file.display();
    let text = key.to_pem();
    let mut created = match fs::File::create_new(file) {
        Ok(created) => created,
        Err(_) if fs::read_to_string(file).is_ok_and(|there| there == text) => return Ok(()),
        Err(error) => {
            return Err(Failure::usage(format!(
                "{shown}: {error}, and nothing is overwritten; remove it, or choose another folder with --output"
            )));
        }
    };
    created.write_all(text.as_bytes()).map_err(|error| {
        // Half a key would be in the way of the next try.
        let _gone = fs::remove_file(file);
        Failure::new(format!("{shown}: {error}; free some space"))
    })
}
