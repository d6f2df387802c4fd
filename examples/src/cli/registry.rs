//! What the programs here can choose from: everything that is shipped.

use tertulia::registry::{Registry, RegistryError, built_in};
use tertulia_topologies::{leader_star, mesh, ring};
use tertulia_transports::{tcp, udp};

/// A registry of all shipped plug-ins. A plug-in of your own is one more line.
///
/// # Errors
/// When a name is given twice.
pub fn registry() -> Result<Registry, RegistryError> {
    // Crypto `noise` and `plain`, codecs, discovery and stores come with the framework.
    let mut all = built_in()?;
    transports(&mut all)?;
    rings(&mut all)?;
    all.topology
        .add(leader_star::KIND, leader_star::Config::default(), |config, ()| leader_star::build(config))?;
    all.topology.add(mesh::KIND, mesh::Config::default(), |config, ()| mesh::build(config))?;
    Ok(all)
}

/// Adds the rings: two kinds from one plug-in, which differ in how many successors each member keeps links to.
///
/// # Errors
/// When a name is given twice.
pub fn rings(all: &mut Registry) -> Result<(), RegistryError> {
    all.topology.add(ring::KIND, ring::Config::default(), |config, ()| ring::build(config))?;
    all.topology
        .add(ring::KIND_REDUNDANT, ring::RedundantConfig::default(), |config, ()| ring::build(config))?;
    Ok(())
}

/// Adds the transports. `memory` is not among them: it joins members within one program, and a chat has but one.
///
/// # Errors
/// When a name is given twice.
pub fn transports(all: &mut Registry) -> Result<(), RegistryError> {
    all.transport.add(tcp::KIND, tcp::Config::default(), |config, ()| tcp::build(&config))?;
    all.transport.add(udp::KIND, udp::Config::default(), |config, ()| udp::build(&config))?;
    Ok(())
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
                "leader",
                "topology.heartbeat=501ms",
                "option --set topology.heartbeat: topology.heartbeat: 501ms is not within 10ms to 500ms",
            ),
            (
                "mesh",
                "topology.degree=2",
                "option --set topology.degree: topology.degree: 2 is not within 3 to 64",
            ),
            (
                "mesh",
                "topology.degree=all",
                "option --set topology.degree: topology.degree: `all` is no degree; write \"full\" or a number from 3 to 64",
            ),
            (
                "ring",
                "roster.scope=view",
                "option --set roster.scope: roster.scope: topology `ring` needs a roster of the whole group, \
                 and roster.scope is \"view\"; choose another topology.kind, or roster.scope = \"group\"",
            ),
            (
                "leader",
                "topology.kind=ring",
                "shipped profile leader:34: discovery.kind: discovery `proxy` learns of the group from its leader, and topology `ring` has \
                 none; choose another topology.kind or discovery.kind",
            ),
            (
                "ring",
                "transport.kind=tpc",
                "option --set transport.kind: transport.kind: there is no transport `tpc`; \
                 did you mean `tcp`? There are: tcp, udp",
            ),
            (
                "ring",
                "transport.kind=memory",
                "option --set transport.kind: transport.kind: there is no transport `memory`; use one of `tcp`, `udp`",
            ),
            (
                "ring",
                "transport.advertise=host:99999",
                "option --set transport.advertise: transport.advertise: `99999` is no port; \
                 write HOST or HOST:PORT under which others reach this machine",
            ),
            (
                "ring",
                "node.join=udp://1.2.3.4:5",
                "option --set node.join: node.join: cannot dial udp://1.2.3.4:5: `udp` is not the scheme of this transport, `tcp`; \
                 write the address of a member as tcp://HOST:PORT",
            ),
            (
                "ring",
                "node.join=127.0.0.1:0",
                "option --set node.join: node.join: cannot dial tcp://127.0.0.1:0: port 0 is no one's address; \
                 write the address of a member as tcp://HOST:PORT",
            ),
        ];
        for (profile, set, line) in cases {
            let profile = Profile::load(&Sources::new(SHIPPED).profile(profile).set(set).unwrap()).unwrap();
            assert_eq!(registry().unwrap().check(&profile).unwrap_err().to_string(), line);
        }
    }

    #[test]
    fn what_is_made_known_is_checked_alike() {
        for kind in ["tcp", "udp"] {
            let kind = format!("transport.kind={kind}");
            let sources = Sources::new(SHIPPED).set(&kind).unwrap();
            let sources = sources.set("transport.advertise=host:99999").unwrap();
            let profile = Profile::load(&sources).unwrap();
            let line = registry().unwrap().check(&profile).unwrap_err().to_string();
            assert!(line.contains("transport.advertise: `99999` is no port"), "{kind}: {line}");
        }
    }

    #[test]
    fn one_line_changes_topology_transport_or_crypto() {
        let sets = [
            "topology.kind=redundant-ring",
            "topology.kind=leader-star",
            "topology.kind=mesh",
            "transport.nodelay=false",
            "transport.kind=udp",
            "crypto.allow_plaintext=true",
            "codec.kind=json",
        ];
        for set in sets {
            let profile = Profile::load(&Sources::new(SHIPPED).set(set).unwrap()).unwrap();
            registry().unwrap().check(&profile).unwrap();
        }
    }
}
