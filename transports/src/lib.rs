//! Transports: how records travel between two members.
//!
//! | kind | for | locator |
//! |---|---|---|
//! | [`memory`] | members within one program: tests, measurements, bots | `memory://NAME` |
//! | [`tcp`] | members anywhere | `tcp://HOST:PORT` |
//!
//! Each module holds one transport and exports `KIND`, `Config` and `build`. A transport of your own does the
//! same in your own crate; the conformance suite in `tertulia-sim` says whether it keeps its promises.

pub mod memory;
pub mod tcp;
