//! `ring-chat`: talk over a ring.
//!
//! This is also the example of how a program is put together: a registry of plug-ins, a profile that chooses among them,
//! and the chat on top. A plug-in of your own is one more `add`, and the profile's `kind` then chooses it.

use std::process::ExitCode;

use clap::Parser;
use tertulia::registry::{Registry, RegistryError, built_in};
use tertulia_core::topology::Topology;
use tertulia_examples::chat::{self, program};
use tertulia_examples::cli::{ChatOptions, Failure};
use tertulia_topologies::ring;
use tertulia_transports::{tcp, udp};

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

/// What a profile of this program can choose from.
fn registry() -> Result<Registry, RegistryError> {
    // Crypto `noise` and `plain`, codecs, discovery and stores come with the framework.
    let mut all = built_in()?;

    // Two kinds from one plug-in, which differ in how many successors each member keeps links to.
    all.topology.add(ring::KIND, ring::Config::default(), |config, ()| build(config))?;
    all.topology.add(ring::KIND_REDUNDANT, ring::RedundantConfig::default(), |config, ()| build(config))?;

    all.transport
        .add(tcp::KIND, tcp::Config::default(), |config, ()| config.check().map(|()| tcp::build(&config)))?;
    all.transport.add(udp::KIND, udp::Config::default(), |config, ()| udp::build(&config))?;
    Ok(all)
}

/// A ring, once its options are in range: a refusal becomes an error at the profile's line.
fn build<const REDUNDANT: bool>(
    config: ring::Settings<REDUNDANT>,
) -> Result<Box<dyn Topology>, ring::BadOption> {
    config.check()?;
    Ok(ring::build(config))
}
