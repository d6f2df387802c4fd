//! What a suite says in the end.

use std::fmt;

/// Checks passed, in order, and those that were not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The names of those passed.
    pub passed: Vec<&'static str>,
    /// What some of them saw: a line for people.
    pub seen: Vec<(&'static str, String)>,
    /// The failures, where a suite goes on after one.
    pub failed: Vec<Failure>,
}

impl Report {
    /// True when no check failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.passed {
            match self.seen.iter().find(|(name, _)| name == check) {
                Some((_, seen)) => writeln!(f, "ok      {check}: {seen}")?,
                None => writeln!(f, "ok      {check}")?,
            }
        }
        self.failed.iter().try_for_each(|failure| writeln!(f, "FAILED  {failure}"))
    }
}

/// A check that a plug-in did not pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{suite} conformance, check `{check}`: {what}")]
pub struct Failure {
    /// The suite.
    pub suite: &'static str,
    /// The check, by its name in the suite's documentation.
    pub check: &'static str,
    /// What happened.
    pub what: String,
}

/// Fails with a sentence unless the condition holds.
pub(super) fn ensure(condition: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(what()) }
}
