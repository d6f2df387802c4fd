//! What a suite says in the end.

/// Checks passed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Their names.
    pub passed: Vec<&'static str>,
}

/// The first check that a plug-in did not pass.
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
