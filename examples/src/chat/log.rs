//! The log: to standard error or a file, never to standard output.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::sync::Mutex;

use tertulia::profile::{Profile, ProfileError};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Starts to log as the profile says.
///
/// # Errors
/// When the filter cannot be read, or the file cannot be written.
pub(crate) fn start(profile: &Profile) -> Result<(), ProfileError> {
    let filter: Targets = profile.log.filter.parse().map_err(|error| {
        let reason = format!("`{}` is no filter: {error}", profile.log.filter);
        profile.error("log.filter", reason, "write for example warn or tertulia=debug")
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match &profile.log.file {
        None => {
            let colours = coloured(std::io::stderr().is_terminal(), std::env::var_os("NO_COLOR"));
            registry.with(fmt::layer().with_ansi(colours).with_writer(std::io::stderr)).try_init()
        }
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

/// True when colours help: a file or a pipe would only hold their codes. See <https://no-color.org>.
fn coloured(terminal: bool, no_color: Option<OsString>) -> bool {
    terminal && no_color.is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        assert!(coloured(true, None) && coloured(true, Some("".into())));
        assert!(!coloured(false, None) && !coloured(true, Some("1".into())));
    }
}
