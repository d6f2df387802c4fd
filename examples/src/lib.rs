//! What the chat programs share.

pub mod chat;
pub mod cli;
pub mod gossip;
pub mod leader;
