//! Group messaging without a server: a group of peers talks over whichever network shape suits it.
//!
//! This crate is what stands around the pure engine of [`tertulia_core`]: sockets, keys, files and the handle that an
//! application holds. Which topology, transport, crypto suite, codec, discovery, policy and store serve is chosen by name from
//! a [`registry`] that the program fills, by a [`profile`] that its user writes.
//!
//! | module | what it is | how it is extended |
//! |---|---|---|
//! | [`bus`] | [`bus::Node`]: publish, send, request, subscribe, members, events, leave | – |
//! | [`codec`] | typed payloads through erased-serde: `postcard`, `json` | [`codec::Codec`] |
//! | [`crypto`] | identities, group secrets; `noise` and `plain` links; RSA keys that a key manager vouches for | [`link::Crypto`] |
//! | [`link`] | handshake, sealed records, lanes, batches; the framing of stream transports | [`link::Transport`] |
//! | [`discovery`] | where members are found: `static`, `local`, `seeds`, `proxy` | [`discovery::Discovery`] |
//! | [`policy`] | who may be linked, and what may be delivered: `open` | [`policy::Policy`] |
//! | [`store`] | what outlives a run: in memory, in a folder | [`store::Store`] |
//! | [`profile`] | TOML, environment and options, checked key by key | a plug-in's own options |
//! | [`registry`] | plug-ins by name | one `add` each |
//!
//! ```no_run
//! use tertulia::bus::{Filter, Node};
//! use tertulia_core::message::Room;
//! # async fn example(builder: tertulia::bus::Builder) -> Result<(), Box<dyn std::error::Error>> {
//! // A builder comes from `Node::builder()` with plug-ins put in by hand, or from a profile and a registry.
//! let mut inbox = builder.subscribe(Filter::all());
//! let node = builder.start().await?;
//! node.publish(&Room::default(), 0, b"hello").await?;
//! while let Some(batch) = inbox.next().await {
//!     for message in batch.messages() {
//!         println!("{:?}", message.payload);
//!     }
//! }
//! node.leave().await;
//! # Ok(()) }
//! ```
//!
//! **Back-pressure.** `publish` waits while `limits.pending` bytes wait already; the engine's window holds a flood back
//! to the pace of the slowest member in step, for at most `delivery.stall`. What a slow reader costs is said in [`bus`].
//!
//! **Features.** `rsa` makes RSA keys, for members that a [key manager](discovery::keys) authenticates; it takes a C
//! library's time to build. Keys that are there already are used without it.
//!
//! **Errors** carry a stable code, the reason and what to do next.

pub mod bus;
pub mod codec;
pub mod crypto;
pub mod discovery;
mod files;
pub mod link;
pub mod policy;
pub mod profile;
pub mod registry;
pub mod store;
