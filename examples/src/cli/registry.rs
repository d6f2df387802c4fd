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

#[cfg(test)]
mod tests {
    use tertulia::profile::{Profile, Sources};

    use super::super::SHIPPED;
    use super::*;

    #[test]
    fn what_plug_ins_object_to_is_told_in_one_line() {
        let cases = [
            (
                "redundant-ring",
                "topology.successors=1",
                "option --set topology.successors: topology.successors: 1 is not within 2 to 16",
            ),
            (
                "ring",
                "topology.succesors=2",
                "option --set topology.succesors: topology.succesors: unknown key; did you mean `successors`?",
            ),
            (
                "ring",
                "topology.stabilise=1ms",
                "option --set topology.stabilise: topology.stabilise: 1ms is not within 100ms to 5m",
            ),
            (
                "ring",
                "topology.successors=300",
                "option --set topology.successors: topology.successors: 300 is out of range; \
                 write a number from 0 to 255",
            ),
            (
                "ring",
                "transport.kind=tpc",
                "option --set transport.kind: transport.kind: there is no transport `tpc`; \
                 did you mean `tcp`? There are: memory, tcp",
            ),
        ];
        for (profile, set, line) in cases {
            let profile = Profile::load(&Sources::new(SHIPPED).profile(profile).set(set).unwrap()).unwrap();
            assert_eq!(registry().unwrap().check(&profile).unwrap_err().to_string(), line);
        }
    }

    #[test]
    fn one_line_changes_topology_transport_or_crypto() {
        let sets = [
            "topology.kind=redundant-ring",
            "transport.kind=memory",
            "crypto.allow_plaintext=true",
            "codec.kind=json",
        ];
        for set in sets {
            let profile = Profile::load(&Sources::new(SHIPPED).set(set).unwrap()).unwrap();
            registry().unwrap().check(&profile).unwrap();
        }
    }
}
