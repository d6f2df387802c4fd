//! Discovery: how a member that was told no address finds the others, chosen by the profile's table `discovery`.
//!
//! How a program uses it, when it was given no `--join`:
//! 1. [`lookup`](Discovery::lookup), every second until it is a member; somebody there: join through them. Whoever has
//!    not been let in within a second asks those in its address book as well.
//! 2. Nobody: ask those in the address book. When no member is there, or none answers for five seconds, it counts as
//!    empty. Who refuses [as a member does](crate::link::Refusal::tells_of_member) is there.
//! 3. Nobody, and the address book is empty: take the [`founding`](Discovery::founding) guard and look again, for
//!    another program may have founded the group while this one waited. Somebody there now: drop the guard and join.
//! 4. Still nobody: found the group, [`announce`](Discovery::announce), and only then drop the guard.
//! 5. As a member, look again now and then, and get in touch with whoever is found there and is not known: a service that
//!    had lost its list knew of nobody to join, and newcomers may have founded another group.
//! 6. On its way out, [`withdraw`](Discovery::withdraw) before anything else: who leaves lets nobody in.
//!
//! So two programs that start at the same moment never found two groups, nobody founds beside members that are
//! remembered and there, and nobody is locked out by members that are gone: the founder is told that it is alone, goes on
//! asking them now and then, and groups of one name that meet become one. An error of `lookup` means that the service is
//! down, not that nobody is there.

mod fixed;
pub mod keys;
mod local;
pub mod proxy;
mod runtime;
pub mod seeds;
pub mod service;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tertulia_core::id::PeerId;
use tokio::sync::watch;

use crate::link::Locator;

pub use fixed::{Fixed, FixedConfig};
pub use local::{Local, LocalConfig};
pub use proxy::{Proxy, ProxyConfig};
pub use runtime::runtime_dir;
pub use seeds::{Seeds, SeedsConfig};
use service::{Access, Service};

/// Names of the discoveries here.
pub mod kind {
    /// A list in the profile; an empty one finds nobody.
    pub const STATIC: &str = "static";
    /// Members of one machine, the default.
    pub const LOCAL: &str = "local";
    /// Seed nodes that keep the list of members.
    pub const SEEDS: &str = "seeds";
    /// Reverse proxies that send newcomers to the leader.
    pub const PROXY: &str = "proxy";
}

/// A service that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The service cannot be used.
    #[error("discovery at {place}: {reason}; {remedy}")]
    Down {
        /// Which service.
        place: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// Another program holds the founding guard and does not let go.
    #[error(
        "discovery at {0}: another program has been founding this group for too long; stop it or try again"
    )]
    Busy(String),
}

/// What a member tells others about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Who it is.
    pub peer: PeerId,
    /// Its nick, for people.
    pub nick: String,
    /// Where it can be reached.
    pub addrs: Vec<Locator>,
}

/// What a leader can tell about itself.
#[derive(Clone, Debug)]
pub struct Leading {
    /// The encoded [certificate](tertulia_core::ballot::Certificate) of its election.
    pub proof: Bytes,
    /// The members whose majority elects the next leader, itself included, as they change; and where they can be reached,
    /// as far as that is known.
    pub electors: watch::Receiver<Electors>,
}

/// Members with a vote, and where they can be reached.
pub type Electors = Vec<(PeerId, Vec<Locator>)>;

/// While it is held, nobody who asks the same service founds the same group.
pub struct Founding {
    _guard: Option<Box<dyn Send + Sync>>,
}

impl Founding {
    /// A guard that lasts as long as `guard` lives.
    #[must_use]
    pub fn held(guard: impl Send + Sync + 'static) -> Self {
        Founding { _guard: Some(Box::new(guard)) }
    }

    /// The guard of a service that cannot keep others from founding.
    #[must_use]
    pub const fn unguarded() -> Self {
        Founding { _guard: None }
    }
}

impl fmt::Debug for Founding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Founding")
    }
}

/// Finds members of one group.
#[async_trait]
pub trait Discovery: Send + Sync {
    /// The name that it is registered by.
    fn kind(&self) -> &'static str;

    /// False when it can never find anybody: then it is as if there were none.
    fn finds(&self) -> bool {
        true
    }

    /// True when what it finds are members' own announcements, so that a member can tell whether it knows them all. Only
    /// then is it asked again by members.
    fn finds_announced(&self) -> bool {
        true
    }

    /// True when it learns of the group from a leader, and from nobody else.
    fn needs_leader(&self) -> bool {
        false
    }

    /// What it takes to ask services, told before anything is asked. Whoever asks none has no use for it.
    fn attach(&self, _: Access) {}

    /// The services that somebody has to run for this to work, as far as they are this group's own.
    fn services(&self) -> Vec<Box<dyn Service>> {
        Vec::new()
    }

    /// Where members can be reached, this one excepted. Some may be gone: try one after the other.
    ///
    /// # Errors
    /// When the service cannot be asked.
    async fn lookup(&self) -> Result<Vec<Locator>, DiscoveryError>;

    /// Makes this member findable until [`withdraw`](Discovery::withdraw) or the end of the process; the latest
    /// announcement replaces earlier ones.
    ///
    /// # Errors
    /// When the service cannot be told.
    async fn announce(&self, me: &Announcement) -> Result<(), DiscoveryError>;

    /// This member leads now; or, with `None`, another one does.
    fn leads(&self, _: Option<Leading>) {}

    /// Tells that a member was declared dead, to whoever keeps lists. Best effort.
    async fn report(&self, _: &PeerId) {}

    /// Makes this member unfindable again.
    async fn withdraw(&self);

    /// Waits for the right to found the group.
    ///
    /// # Errors
    /// When the service cannot be asked, or another program founds for longer than is plausible.
    async fn founding(&self) -> Result<Founding, DiscoveryError>;
}
