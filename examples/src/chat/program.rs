//! What every program here does around its work: read the arguments, print, end with the right status.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Failure, Stop, parse};

/// Reads the arguments, runs, and says in one line what went wrong, if anything.
pub fn main<P: Parser>(run: impl FnOnce(P) -> Result<(), Failure>) -> ExitCode {
    let failure = match parse::<P>(std::env::args_os()) {
        Ok(program) => match run(program) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(failure) => failure,
        },
        Err(Stop::Print(text)) => {
            print(text.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(Stop::Fail(failure)) => failure,
    };
    // What was told as an event is not told again.
    if !failure.message.is_empty() {
        note(&failure.message);
    }
    ExitCode::from(failure.status)
}

/// Prints to standard output. When nobody reads, nobody needs it.
pub fn print(text: &str) {
    let _unread = writeln!(std::io::stdout(), "{text}");
}

/// Prints to standard error.
pub fn note(text: &str) {
    let _unread = writeln!(std::io::stderr(), "{text}");
}
