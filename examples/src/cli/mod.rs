//! The command line: options that every chat program takes, and what `tertulia` does beside chatting.
//!
//! Each subcommand is a type for its options and a function that returns what to print, so that the programs only
//! print and exit. What is wrong with arguments or profile is a [`Failure`] with status 2.

mod new;
mod options;
mod parse;
mod plugins;
mod profile;
pub(crate) mod prompt;
mod registry;
mod serve;
mod shipped;
mod ticket;

use std::fmt;

use clap::Subcommand;
use tertulia::profile::ProfileError;

pub use new::NewOptions;
pub use options::{ChatOptions, Mode, SourceOptions};
pub use parse::{Stop, parse};
pub use plugins::plugins;
pub use profile::ProfileCommand;
pub use registry::{registry, rings, transports};
pub use serve::ServeOptions;
pub use shipped::SHIPPED;
pub use ticket::{Invitation, TicketOptions};

/// What `tertulia` does.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Talk with a group
    Chat(Box<ChatOptions>),
    /// Run the services of a profile: those that its members find each other through, and its key manager
    Serve(ServeOptions),
    /// Write a private profile with a fresh secret
    New(NewOptions),
    /// Print a private profile as one line, to invite somebody with
    Ticket(TicketOptions),
    /// Check or show a profile
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// List what a profile can choose from, with all options
    Plugins,
}

/// Why a program ends without having done its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One line: the thing, the reason, the next step.
    pub message: String,
    /// The exit status: 2 for unusable arguments or profile, 1 for anything else.
    pub status: u8,
}

impl Failure {
    /// Something went wrong that is no fault of arguments or profile.
    pub fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), status: 1 }
    }

    /// Unusable arguments.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure { message: message.into(), status: 2 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<ProfileError> for Failure {
    fn from(e: ProfileError) -> Self {
        Failure::usage(e.to_string())
    }
}
