//! Transports: how records travel between two members.
//!
//! | kind | for | locator | promises |
//! |---|---|---|---|
//! | [`memory`] | members within one program: tests, measurements, bots | `memory://NAME` | every record, in order |
//! | [`tcp`] | members anywhere | `tcp://HOST:PORT` | every record, in order |
//! | [`udp`] | members anywhere; many links, none of which waits for what was lost | `udp://HOST:PORT` | whole records or none |
//!
//! Each module holds one transport and exports `KIND`, `Config` and `build`. A transport of your own does the
//! same in your own crate; the conformance suite in `tertulia-sim` says whether it keeps its promises.

mod address;
pub mod memory;
mod option;
pub mod tcp;
pub mod udp;
