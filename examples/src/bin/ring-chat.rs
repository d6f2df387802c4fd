//! `ring-chat`: talk over a ring.
//!
//! This is also the example of how a program is put together: a registry of plug-ins, a profile that chooses among them,
//! and the chat on top. A plug-in of your own is one more `add`, and the profile's `kind` then chooses it.

use std::process::ExitCode;

use clap::Parser;
use tertulia::registry::{Registry, RegistryError, built_in};
use tertulia_examples::chat::{self, program};
use tertulia_examples::cli::{ChatOptions, Failure, rings, transports};

/// Talk over a ring, without a server
#[derive(Parser, Debug)]
#[command(name = "ring-chat", version)]
struct Program {
    #[command(flatten)]
    chat: ChatOptions,
}

fn main() -> ExitCode {
    program::main(|program: Program| {
        let registry = registry().map_err(|error| Failure::new(error.to_string()))?;
        chat::run(&program.chat, &registry)
    })
}

/// What a profile of this program can choose from. A plug-in of your own is one more line:
/// `all.topology.add("star", star::Config::default(), |config, ()| star::build(config))?`.
fn registry() -> Result<Registry, RegistryError> {
    // Crypto `noise` and `plain`, codecs, discovery and stores come with the framework.
    let mut all = built_in()?;
    rings(&mut all)?;
    transports(&mut all)?;
    Ok(all)
}
