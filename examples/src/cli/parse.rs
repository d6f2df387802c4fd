//! Reading the command line, with errors of one line.

use std::ffi::OsString;

use clap::Parser;
use clap::error::{ContextKind, ErrorKind};

use super::Failure;

/// Why there is nothing to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Help or version: print it to standard output and exit with 0.
    Print(String),
    /// Unusable arguments: print the line to standard error and exit with its status.
    Fail(Failure),
}

/// Reads the arguments, the program's name first.
///
/// # Errors
/// What to print instead of running.
pub fn parse<P: Parser>(args: impl IntoIterator<Item = OsString>) -> Result<P, Stop> {
    P::try_parse_from(args).map_err(|e| match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Print(e.to_string()),
        _ => Stop::Fail(Failure::usage(line(&e))),
    })
}

/// The error as one line: what is wrong, and what to do next.
fn line(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut paragraphs = text.split("\n\n");
    // The first paragraph is the diagnosis; names that are missing follow on lines of their own.
    let first: Vec<&str> = paragraphs.next().unwrap_or_default().lines().map(str::trim).collect();
    let what = first.join(" ");
    let what = what.trim_start_matches("error: ");
    let near = [ContextKind::SuggestedArg, ContextKind::SuggestedValue, ContextKind::SuggestedSubcommand];
    let near = near.iter().find_map(|kind| error.get(*kind)).map(ToString::to_string);
    match near.filter(|near| !near.is_empty()) {
        Some(near) => format!("{what}; did you mean {near}?"),
        None => format!("{what}; --help lists what there is"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::*;

    #[derive(Parser, Debug)]
    #[command(name = "tertulia", version)]
    struct Program {
        #[command(subcommand)]
        command: Command,
    }

    fn run(args: &[&str]) -> Result<Program, Stop> {
        parse(std::iter::once(&"tertulia").chain(args).map(OsString::from))
    }

    #[test]
    fn the_commands_fit_together() {
        use clap::CommandFactory;
        Program::command().debug_assert();
        for good in [
            &["chat"] as &[&str],
            &["chat", "ring", "--nick", "m", "--found", "--json"],
            &["new", "friends"],
            &["ticket", "ring", "--join", "a:1"],
            &["profile", "check", "ring", "--set", "a.b=1"],
            &["profile", "show"],
            &["plugins"],
            &["serve", "gossip", "--only", "seed-0", "--listen", "127.0.0.1:0", "--json"],
        ] {
            run(good).unwrap();
        }
    }

    #[test]
    fn errors_are_one_line_with_status_2() {
        let cases: &[(&[&str], &str)] = &[
            (&["chat", "--nik", "x"], "unexpected argument '--nik' found; did you mean --nick?"),
            (&["caht"], "unrecognized subcommand 'caht'; did you mean chat?"),
            (
                &["chat", "ring", "--profile", "ring"],
                "the argument '[PROFILE]' cannot be used with '--profile <PROFILE>'; --help lists what there is",
            ),
            (&["chat", "a", "b"], "unexpected argument 'b' found; --help lists what there is"),
        ];
        for (args, line) in cases {
            let Err(Stop::Fail(failure)) = run(args) else { panic!("{args:?}") };
            assert_eq!((failure.message.as_str(), failure.status), (*line, 2));
        }
        assert!(matches!(run(&["--help"]), Err(Stop::Print(text)) if text.contains("Usage")));
        assert!(matches!(run(&["--version"]), Err(Stop::Print(_))));
    }
}
