//! The plug-ins that a program has, by name: an explicit value, built in `main`.
//!
//! A [`Seam`] maps names to builders for one kind of plug-in; adding one takes a line:
//!
//! ```
//! # use tertulia::registry::Seam;
//! # use serde::{Deserialize, Serialize};
//! # trait Topology {}
//! # struct Star; impl Topology for Star {}
//! # #[derive(Default, Serialize, Deserialize)] #[serde(default, deny_unknown_fields)] struct Config { hubs: u32 }
//! # fn build(_: Config) -> Result<Box<dyn Topology>, String> { Ok(Box::new(Star)) }
//! let mut topologies: Seam<Box<dyn Topology>> = Seam::new("topology");
//! topologies.add("star", Config::default(), |config, ()| build(config))?;
//! # Ok::<(), tertulia::registry::RegistryError>(())
//! ```
//!
//! Builders do no I/O: they are also called to check a profile. A profile that says `kind = "star"` then gets it. What the plug-in's table holds is laid over the defaults given
//! here and read strictly: an unknown key, a wrong type or a value that the builder refuses is a
//! [`ProfileError`](crate::profile::ProfileError) with its line. Two names may share a builder and differ in defaults,
//! as `ring` and `redundant-ring` do.

mod all;
mod seam;

pub use all::{CodecPlace, DiscoveryPlace, Registry, built_in};
pub use seam::{RegistryError, Seam};
