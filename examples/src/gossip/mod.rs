//! `gossip-chat`: talk over a mesh that members enter through seeds, with the messages, timers and files of its
//! document.
//!
//! Messages of the group travel as the topology wants, which for the document is gossip: one that comes from its author's
//! own link is shown as 1133, one that came through others as 1155. Neighbours ask each other whether they live (1122,
//! 1144) every `detector.interval` of the profile; whoever leaves three of these unanswered is reported to the seeds, and
//! off the list of peers, which is shown as often.

mod liveness;
mod talk;
#[cfg(test)]
mod timers;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tertulia::discovery::kind;
use tertulia::link::Locator;
use tertulia::registry::Registry;
use tertulia_core::units::Span;

use crate::chat::{Extra, run_beside};
use crate::cli::{ChatOptions, Failure, ServeOptions, prompt};
use talk::{PROPAGATED, Plan, Talk};

/// The profile of this program, unless another is named.
const PROFILE: &str = "gossip";

/// Options of the gossip chat.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GossipOptions {
    /// Something else than chatting
    #[command(subcommand)]
    pub command: Option<GossipCommand>,
    /// As of every chat.
    #[command(flatten)]
    pub chat: ChatOptions,
    /// Send so many gossip messages once this member is one; the document's peers send 10
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub gossip: u32,
    /// The pause between two of them
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub pause: Span,
    /// Where the file `output_PORT.txt` is written
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub output: PathBuf,
}

/// What the gossip chat does beside chatting.
#[derive(Subcommand, Clone, Debug)]
pub enum GossipCommand {
    /// Run the profile's seeds, all of them or one
    Seed(SeedOptions),
}

/// Options of `gossip-chat seed`.
#[derive(Args, Clone, Debug)]
pub struct SeedOptions {
    /// As of every service.
    #[command(flatten)]
    pub serve: ServeOptions,
    /// Run this one of the profile's seeds, counted from 0
    #[arg(long, value_name = "NUMBER", conflicts_with = "only")]
    pub index: Option<usize>,
    /// Where the file `output_seed.txt` is written
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub output: PathBuf,
}

/// Does what the options say. With nothing on the command line but a profile, and a terminal, it asks for the port.
///
/// # Errors
/// Why it could not, or how it ended badly.
pub fn run(mut options: GossipOptions, registry: &Registry) -> Result<(), Failure> {
    if let Some(GossipCommand::Seed(mut seed)) = options.command.take() {
        seed.serve.source = seed.serve.source.or_profile(PROFILE);
        seed.serve.kind = Some(kind::SEEDS);
        if let Some(index) = seed.index {
            seed.serve.only = Some(format!("seed-{index}"));
        }
        return seed.serve.run(registry, Some(append(&seed.output, "output_seed.txt")?));
    }
    options.chat.source = options.chat.source.or_profile(PROFILE);
    if options.gossip == 0
        && let Some(mut prompt) = prompt::terminal(&options.chat)
    {
        let profile = options.chat.profile(registry)?;
        options.chat.listen = prompt.port()?.map(|port| with_port(&profile.node.listen, port));
    }
    let begin = |profile: &tertulia::profile::Profile, addr: &Locator| {
        let port = addr.rest().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
        let (gossip, pause) = (options.gossip, options.pause.0);
        let plan = Plan { port, gossip, pause, every: profile.detector.interval.0 };
        let file = append(&options.output, &format!("output_{port}.txt"))?;
        Ok((Box::new(Talk::new(plan)) as Box<_>, file))
    };
    run_beside(&options.chat, registry, Some(&Extra { kinds: PROPAGATED, begin: &begin }))
}

/// The same address, at another port.
fn with_port(listen: &str, port: u16) -> String {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    format!("{host}:{port}")
}

/// Opens a file to write at its end.
fn append(folder: &Path, name: &str) -> Result<File, Failure> {
    let path = folder.join(name);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.map_err(|error| {
        Failure::usage(format!("{}: {error}; choose another folder with --output", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_that_is_answered_is_one_of_the_profile_s_address() {
        for (listen, at) in [
            ("127.0.0.1:0", "127.0.0.1:5001"),
            ("tcp://192.0.2.7:80", "tcp://192.0.2.7:5001"),
            ("[::1]:0", "[::1]:5001"),
        ] {
            assert_eq!(with_port(listen, 5001), at);
        }
    }
}
