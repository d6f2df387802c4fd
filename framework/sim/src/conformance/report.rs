//! The outcome of a suite.

use std::fmt;

/// One check of a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// What was seen when it held; what went wrong when it did not.
    pub outcome: Result<String, String>,
}

/// What a suite found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The plug-in's kind.
    pub kind: String,
    /// All checks, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// A report without checks yet.
    #[must_use]
    pub fn new(kind: impl Into<String>) -> Self {
        Report { kind: kind.into(), checks: Vec::new() }
    }

    /// Adds a check.
    pub fn check(&mut self, name: &'static str, outcome: Result<String, String>) {
        self.checks.push(Check { name, outcome });
    }

    /// True when every check held.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|c| c.outcome.is_ok())
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.checks.iter().filter_map(|c| Some((c.name, c.outcome.as_ref().err()?.as_str())))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, outcome } in &self.checks {
            match outcome {
                Ok(seen) => writeln!(f, "{}: {name}: ok ({seen})", self.kind)?,
                Err(why) => writeln!(f, "{}: {name}: FAILED: {why}", self.kind)?,
            }
        }
        Ok(())
    }
}

/// Fails with a sentence unless the condition holds.
pub(super) fn ensure(condition: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(what()) }
}
