//! Topologies: how a group is wired and where a parcel goes next.
//!
//! Each plug-in is a folder with the same parts: `config`, `messages`, `state`, one file per protocol step, `view`,
//! and a page of documentation. It exports the names that a profile chooses it by, its settings, and `build`.
//! Plug-ins see nothing but [`tertulia_core`].

pub mod election;
pub mod leader_star;
pub mod mesh;
#[cfg(test)]
mod net;
mod place;
mod request;
pub mod ring;
