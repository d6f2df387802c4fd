//! `gossip-chat`: talk over a mesh that members enter through seeds.

use std::process::ExitCode;

use clap::Parser;
use tertulia_examples::chat::program;
use tertulia_examples::cli::{Failure, registry};
use tertulia_examples::gossip::{self, GossipOptions};

/// Talk by gossip, without a server: members find each other through seeds
#[derive(Parser, Debug)]
#[command(name = "gossip-chat", version)]
struct Program {
    #[command(flatten)]
    gossip: GossipOptions,
}

fn main() -> ExitCode {
    program::main(|program: Program| {
        let registry = registry().map_err(|error| Failure::new(error.to_string()))?;
        gossip::run(program.gossip, &registry)
    })
}
