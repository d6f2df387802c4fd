//! The log: to standard error or a file, never to standard output.

use std::fs::OpenOptions;
use std::sync::Mutex;

use tertulia::profile::{Profile, ProfileError};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Starts to log as the profile says.
///
/// # Errors
/// When the filter cannot be read, or the file cannot be written.
pub(super) fn start(profile: &Profile) -> Result<(), ProfileError> {
    let filter: Targets = profile.log.filter.parse().map_err(|error| {
        let reason = format!("`{}` is no filter: {error}", profile.log.filter);
        profile.error("log.filter", reason, "write for example warn or tertulia=debug")
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match &profile.log.file {
        None => registry.with(fmt::layer().with_writer(std::io::stderr)).try_init(),
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
                let reason = format!("{}: {error}", path.display());
                profile.error("log.file", reason, "choose another file")
            })?;
            registry.with(fmt::layer().with_ansi(false).with_writer(Mutex::new(file))).try_init()
        }
    };
    // A program that logs already goes on as it does.
    drop(started);
    Ok(())
}
