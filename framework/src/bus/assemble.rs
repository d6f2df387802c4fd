//! A node from a profile and the plug-ins that a program has.

use std::sync::Arc;

use super::{Builder, check_fit};
use crate::profile::{Profile, ProfileError};
use crate::registry::Registry;

impl Builder {
    /// What the profile says, built from the registry's plug-ins. The data directory is locked from here on.
    ///
    /// A nick in the profile is an explicit one; without any, give a default with [`nick`](Builder::nick). A passphrase
    /// is stretched here, which takes a noticeable fraction of a second.
    ///
    /// # Errors
    /// The line of the profile to correct.
    pub fn from_profile(profile: &Profile, registry: &Registry) -> Result<Builder, ProfileError> {
        let topology = registry.topology.build(profile, &())?;
        let transport = registry.transport.build(profile, &())?;
        let crypto = registry.crypto.build(profile, &())?;
        let codec = registry.build_codec(profile)?;
        let group = profile.group_key()?;
        let discovery = registry.build_discovery(profile, group.id())?;
        check_fit(profile, &*topology, &*transport, &*discovery)?;
        let store = registry.build_store(profile)?;
        let mut builder = Builder::new()
            .config(profile.engine())
            .group(Arc::new(group))
            .topology(topology)
            .transport(transport)
            .crypto(crypto)
            .codec(codec)
            .discovery(discovery)
            .policy(registry.policy.build(profile, &())?)
            .store(store)
            .listen(profile.node.listen.clone());
        if let Some(keys) = registry.build_keys(profile)? {
            builder = builder.keys(keys);
        }
        if let Some(nick) = &profile.node.nick {
            builder = builder.explicit_nick(nick.clone());
        }
        if !profile.node.join.is_empty() {
            builder = builder.join(profile.node.join.iter().cloned());
        }
        Ok(builder)
    }
}
