//! What the options of all plug-ins share: ranges, and what is told when one is outside.

use core::fmt;

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

impl core::error::Error for BadOption {}

/// Looks whether a value is within its range.
///
/// # Errors
/// When it is not; the reason names the range.
pub fn within<T: Copy + PartialOrd + fmt::Display>(
    key: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<(), BadOption> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(BadOption { key, reason: format!("{value} is not within {least} to {most}") })
}
