//! What the chat programs share.

pub mod cli;
