//! What the programs here can choose from: everything that is shipped.

use tertulia::registry::{Registry, RegistryError, built_in};
use tertulia_topologies::ring;
use tertulia_transports::{memory, tcp};

/// A registry of all shipped plug-ins. A plug-in of your own is one more line.
///
/// # Errors
/// When a name is given twice.
pub fn registry() -> Result<Registry, RegistryError> {
    let mut all = built_in()?;
    all.topology.add(ring::KIND, ring::Config::default(), |config, ()| checked(config))?.add(
        ring::KIND_REDUNDANT,
        ring::RedundantConfig::default(),
        |config, ()| checked(config),
    )?;
    all.transport
        .add(tcp::KIND, tcp::Config::default(), |config, ()| Ok::<_, String>(tcp::build(&config)))?;
    let hub = memory::Hub::default();
    all.transport.add(memory::KIND, memory::Config::default(), move |config, ()| {
        Ok::<_, String>(memory::build(&config, &hub))
    })?;
    Ok(all)
}

/// A ring, once its options are in range.
fn checked<const R: bool>(
    config: ring::Settings<R>,
) -> Result<Box<dyn tertulia_core::topology::Topology>, ring::BadOption> {
    config.check()?;
    Ok(ring::build(config))
}
