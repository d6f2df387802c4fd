//! What is told when an option of a transport is left out of its range.

use std::fmt;

/// An option outside its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOption {
    /// The option's name in the table.
    pub key: &'static str,
    /// What is wrong, and what would do.
    pub reason: String,
}

impl fmt::Display for BadOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}

impl std::error::Error for BadOption {}
