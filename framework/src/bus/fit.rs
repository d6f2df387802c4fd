//! Whether what a topology needs is what the other parts offer.

use tertulia_core::config::Scope;
use tertulia_core::topology::Topology;

use crate::discovery::Discovery;
use crate::link::Transport;
use crate::profile::{Profile, ProfileError};

/// Two parts that do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The option of the profile that does not suit the topology.
    pub(crate) key: &'static str,
    /// Both sides by name.
    pub(crate) reason: String,
    /// What to change.
    pub(crate) remedy: &'static str,
}

/// Checks what the topology needs against the transport and the roster, and what discovery needs against the topology.
pub(crate) fn fits(
    topology: &dyn Topology,
    transport: &dyn Transport,
    discovery: Option<&dyn Discovery>,
    roster: Scope,
) -> Result<(), Misfit> {
    let (needs, kind, caps) = (topology.needs(), topology.kind(), transport.caps());
    if needs.reliable && !(caps.reliable && caps.ordered) {
        let reason =
            format!("topology `{kind}` needs a reliable transport, and `{}` is none", transport.scheme());
        let remedy = "choose another topology.kind or transport.kind";
        return Err(Misfit { key: "transport.kind", reason, remedy });
    }
    if !needs.suits(roster) {
        let reason =
            format!("topology `{kind}` needs a roster of the whole group, and roster.scope is \"view\"");
        let remedy = "choose another topology.kind, or roster.scope = \"group\"";
        return Err(Misfit { key: "roster.scope", reason, remedy });
    }
    if let Some(found) = discovery.filter(|d| d.needs_leader() && !topology.elects()) {
        let reason = format!(
            "discovery `{}` learns of the group from its leader, and topology `{kind}` has none",
            found.kind()
        );
        let remedy = "choose another topology.kind or discovery.kind";
        return Err(Misfit { key: "discovery.kind", reason, remedy });
    }
    Ok(())
}

/// The same for the parts that a profile chose.
pub(crate) fn check_fit(
    profile: &Profile,
    topology: &dyn Topology,
    transport: &dyn Transport,
    discovery: &dyn Discovery,
) -> Result<(), ProfileError> {
    fits(topology, transport, Some(discovery), profile.roster.scope)
        .map_err(|misfit| profile.error(misfit.key, misfit.reason, misfit.remedy))
}
