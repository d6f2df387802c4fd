//! `leader-chat`: talk in a group whose elected leader keeps who takes part; proxies at known addresses send newcomers to
//! it.

mod asks;
mod keys;

use clap::{Args, Subcommand};
use tertulia::discovery::kind;
use tertulia::registry::Registry;

use crate::chat;
use crate::cli::{ChatOptions, Failure, ServeOptions, prompt};
use asks::Place;
pub use keys::{GenerateOptions, KeysCommand, KeysOptions};

/// The profile of this program, unless another is named.
const PROFILE: &str = "leader";

/// Options of the leader chat.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LeaderOptions {
    /// Something else than chatting
    #[command(subcommand)]
    pub command: Option<LeaderCommand>,
    /// As of every chat.
    #[command(flatten)]
    pub chat: ChatOptions,
}

/// What the leader chat does beside chatting.
#[derive(Subcommand, Clone, Debug)]
pub enum LeaderCommand {
    /// Run the profile's reverse proxies, all of them or one
    Proxy(ProxyOptions),
    /// Run the profile's RSA key manager, or make its keys
    Keys(KeysOptions),
}

/// Options of `leader-chat proxy`.
#[derive(Args, Clone, Debug)]
pub struct ProxyOptions {
    /// As of every service.
    #[command(flatten)]
    pub serve: ServeOptions,
    /// Run this one of the profile's proxies, counted from 0
    #[arg(long, value_name = "NUMBER", conflicts_with = "only")]
    pub index: Option<usize>,
}

/// Does what the options say. With nothing on the command line but a profile, and a terminal, it asks for name,
/// address and port.
///
/// # Errors
/// Why it could not, or how it ended badly.
pub fn run(mut options: LeaderOptions, registry: &Registry) -> Result<(), Failure> {
    match options.command.take() {
        Some(LeaderCommand::Keys(keys)) => keys.run(registry),
        Some(LeaderCommand::Proxy(mut proxy)) => {
            proxy.serve.source = proxy.serve.source.or_profile(PROFILE);
            proxy.serve.kind = Some(kind::PROXY);
            if let Some(index) = proxy.index {
                proxy.serve.only = Some(format!("proxy-{index}"));
            }
            proxy.serve.run(registry, None)
        }
        None => {
            options.chat.source = options.chat.source.or_profile(PROFILE);
            if let Some(mut prompt) = prompt::terminal(&options.chat) {
                let answers = asks::ask(&mut prompt, Place::of(&options.chat.profile(registry)?))?;
                (options.chat.nick, options.chat.listen) = (answers.nick, answers.listen);
            }
            chat::run(&options.chat, registry)
        }
    }
}
