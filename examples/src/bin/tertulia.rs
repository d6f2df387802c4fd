//! `tertulia`: talk with a group that has no server, and what belongs to it.

use std::process::ExitCode;

use clap::Parser;
use tertulia_examples::chat::program::{self, note, print};
use tertulia_examples::chat::{self, block_on};
use tertulia_examples::cli::{Command, Failure, plugins, registry};

/// Talk with a group, without a server
#[derive(Parser, Debug)]
#[command(name = "tertulia", version)]
struct Program {
    /// What to do [default: chat]
    #[command(subcommand)]
    command: Option<Command>,
}

fn main() -> ExitCode {
    program::main(run)
}

fn run(program: Program) -> Result<(), Failure> {
    let registry = registry().map_err(|error| Failure::new(error.to_string()))?;
    match program.command.unwrap_or_else(|| Command::Chat(Box::default())) {
        Command::Chat(options) => chat::run(&options, &registry),
        Command::Serve(options) => options.run(&registry, None),
        Command::New(options) => print(&options.run()?),
        Command::Ticket(options) => {
            let ticket = block_on(options.run(&registry))??;
            ticket.notes.iter().for_each(|text| note(text));
            print(&ticket.line)
        }
        Command::Profile(command) => print(&command.run(&registry)?),
        Command::Plugins => print(&plugins(&registry)),
    }
}
