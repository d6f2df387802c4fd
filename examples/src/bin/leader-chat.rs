//! `leader-chat`: talk in a group whose members elect a leader.

use std::process::ExitCode;

use clap::Parser;
use tertulia_examples::chat::program;
use tertulia_examples::cli::{Failure, registry};
use tertulia_examples::leader::{self, LeaderOptions};

/// Talk in a group with an elected leader, which proxies send newcomers to
#[derive(Parser, Debug)]
#[command(name = "leader-chat", version)]
struct Program {
    #[command(flatten)]
    leader: LeaderOptions,
}

fn main() -> ExitCode {
    program::main(|program: Program| {
        let registry = registry().map_err(|error| Failure::new(error.to_string()))?;
        leader::run(program.leader, &registry)
    })
}
