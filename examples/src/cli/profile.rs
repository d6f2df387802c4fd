//! `tertulia profile check` and `tertulia profile show`.

use clap::Subcommand;
use tertulia::profile::{Profile, show};
use tertulia::registry::Registry;

use super::{Failure, SourceOptions};

/// What to do with a profile.
#[derive(Subcommand, Clone, Debug)]
pub enum ProfileCommand {
    /// Say whether a profile can be used, and if not, which line to correct
    Check(SourceOptions),
    /// Print every value that counts and where it comes from; the secret is blacked out
    Show(SourceOptions),
}

impl ProfileCommand {
    /// Returns what to print.
    ///
    /// # Errors
    /// What makes the profile unusable, with status 2.
    pub fn run(&self, registry: &Registry) -> Result<String, Failure> {
        let (ProfileCommand::Check(options) | ProfileCommand::Show(options)) = self;
        let profile = Profile::load(&options.sources()?)?;
        registry.check(&profile)?;
        if matches!(self, ProfileCommand::Show(_)) {
            let text = show(&profile, &|table, kind| registry.defaults(table, kind))?;
            return Ok(text.trim_end().to_owned());
        }
        Ok(format!(
            "usable: group \"{}\", {} over {} with {}",
            profile.group.name, profile.topology.kind, profile.transport.kind, profile.crypto.kind
        ))
    }
}
