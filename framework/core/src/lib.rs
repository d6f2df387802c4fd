//! The pure core of Tertulia: the vocabulary, the seams, and the engine of one node.
//!
//! Nothing in here knows the time of day, a socket, a task or the system's randomness: time, frames and dial results
//! come in through one door ([`engine::Engine::handle`], [`engine::Engine::on_deadline`]) and what is to be done comes
//! out through [`engine::Engine::outputs`]. The same inputs give the same outputs, so programs, the simulator, replays
//! and tests run the same code.
//!
//! | module | what it is |
//! |---|---|
//! | [`id`], [`peers`] | who is who: keys, runs, everybody known |
//! | [`message`], [`parcel`], [`frame`] | what is said, what is signed, what goes over a link |
//! | [`topology`] | the seam for plug-ins: my neighbours, and where a parcel goes next |
//! | [`auth`] | the seam for digests, signatures and sealing |
//! | [`ballot`] | who stood in an election, and the proof of who won it |
//! | [`engine`] | delivery, roster, failure detector, dialling, joining |
//! | [`config`], [`option`], [`units`] | settings, ranges, and how durations and sizes are written |
//! | [`time`], [`rng`], [`wire`] | a point in time, seeded draws, bounded reading and writing |

pub mod auth;
pub mod ballot;
pub mod config;
pub mod engine;
pub mod frame;
pub mod id;
pub mod message;
pub mod option;
pub mod parcel;
pub mod peers;
pub mod rng;
pub mod time;
pub mod topology;
pub mod units;
pub mod wire;
