//! What every program here does around its work: read the arguments, print, end with the right status.

use std::io::{ErrorKind, Write};
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
        Err(Stop::Print(text)) => match print(text.trim_end()) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(failure) => failure,
        },
        Err(Stop::Fail(failure)) => failure,
    };
    // What was told as an event is not told again.
    if !failure.message.is_empty() {
        note(&failure.message);
    }
    ExitCode::from(failure.status)
}

/// Prints to standard output. When nobody reads, nobody needs it.
///
/// # Errors
/// When it cannot be written, for example to a full disk.
pub fn print(text: &str) -> Result<(), Failure> {
    print_to(&mut std::io::stdout().lock(), text)
}

fn print_to(out: &mut impl Write, text: &str) -> Result<(), Failure> {
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("standard output: {error}; write it somewhere else")))
        }
        _ => Ok(()),
    }
}

/// Prints to standard error.
pub fn note(text: &str) {
    let _unread = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_told_and_a_closed_pipe_is_not() {
        let failure = print_to(&mut Broken(ErrorKind::StorageFull), "text").unwrap_err();
        assert_eq!(failure.status, 1);
        assert!(failure.message.starts_with("standard output: "), "{failure}");
        print_to(&mut Broken(ErrorKind::BrokenPipe), "text").unwrap();
        let mut out = Vec::new();
        print_to(&mut out, "text").unwrap();
        assert_eq!(out, b"text\n");
    }
}
