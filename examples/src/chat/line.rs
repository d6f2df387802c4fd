//! What a typed line means.

use tertulia::profile::near;

/// What a typed line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing.
    Empty,
    /// A message to everybody.
    Say(String),
    /// A message to one member.
    Tell {
        /// Its nick.
        nick: String,
        /// What.
        text: String,
    },
    /// Who is there.
    Peers,
    /// How the group is wired.
    Topology,
    /// What was said.
    History,
    /// Show or hide the topology's own messages.
    Trace(bool),
    /// What can be typed.
    Help,
    /// Leave.
    Quit,
    /// Nothing that can be done.
    Wrong {
        /// Stable, for scripts.
        code: &'static str,
        /// What is wrong.
        reason: String,
        /// What to do next.
        hint: String,
    },
}

/// Commands and what they do.
pub(super) const COMMANDS: [(&str, &str); 7] = [
    ("/msg NICK TEXT", "say something to one member alone"),
    ("/peers", "list everybody"),
    ("/topology", "show how the group is wired"),
    ("/history", "show what was said"),
    ("/trace [on|off]", "show or hide the topology's own messages"),
    ("/quit", "leave; $exit does as well"),
    ("/help", "list these commands; // begins a message with a slash"),
];

impl Line {
    /// Reads a line; `tracing` says whether the topology's messages are shown now.
    #[must_use]
    pub(super) fn parse(line: &str, tracing: bool) -> Line {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.trim().is_empty() {
            return Line::Empty;
        }
        if line.trim() == "$exit" {
            return Line::Quit;
        }
        let Some(rest) = line.strip_prefix('/') else { return Line::Say(line.to_owned()) };
        if rest.starts_with('/') {
            return Line::Say(rest.to_owned());
        }
        let (name, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let rest = rest.trim_start();
        match (name, rest.trim_end()) {
            ("msg", _) => match rest.split_once(char::is_whitespace) {
                Some((nick, text)) if !text.trim().is_empty() => {
                    Line::Tell { nick: nick.to_owned(), text: text.trim_start().to_owned() }
                }
                _ => {
                    wrong("bad-command", "/msg needs a nick and a text".into(), "write /msg NICK TEXT".into())
                }
            },
            ("peers", "") => Line::Peers,
            ("topology", "") => Line::Topology,
            ("history", "") => Line::History,
            ("trace", "") => Line::Trace(!tracing),
            ("trace", "on") => Line::Trace(true),
            ("trace", "off") => Line::Trace(false),
            ("help", "") => Line::Help,
            ("quit", "") => Line::Quit,
            _ => unknown(name, rest),
        }
    }
}

fn unknown(name: &str, rest: &str) -> Line {
    let names = COMMANDS.map(|(usage, _)| usage.split(' ').next().unwrap_or(usage).trim_start_matches('/'));
    if names.contains(&name) {
        let usage = COMMANDS.iter().find(|(usage, _)| usage[1..].starts_with(name)).map_or("/help", |c| c.0);
        return wrong("bad-command", format!("/{name} does not take `{rest}`"), format!("write {usage}"));
    }
    // When no command is really near, the one that begins alike is the nearest, and /help after that.
    let alike = |command: &&str| command.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
    let begins = names.into_iter().filter(|command| alike(command) > 0).max_by_key(alike);
    let near = near::nearest(name, names).or(begins).unwrap_or("help");
    let hint = format!("did you mean /{near}? // begins a message with a slash");
    wrong("unknown-command", format!("there is no command /{name}"), hint)
}

fn wrong(code: &'static str, reason: String, hint: String) -> Line {
    Line::Wrong { code, reason, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Line {
        Line::parse(line, false)
    }

    #[test]
    fn messages_and_commands() {
        assert_eq!(parse("hello  there \r\n"), Line::Say("hello  there ".into()));
        assert_eq!(parse("//etc is a folder"), Line::Say("/etc is a folder".into()));
        assert_eq!(parse("  \n"), Line::Empty);
        assert_eq!((parse("/quit"), parse("$exit")), (Line::Quit, Line::Quit));
        assert_eq!(
            parse("/msg eva  how are you"),
            Line::Tell { nick: "eva".into(), text: "how are you".into() }
        );
        assert_eq!((parse("/peers "), parse("/topology")), (Line::Peers, Line::Topology));
        assert_eq!(parse("/trace"), Line::Trace(true));
        assert_eq!(Line::parse("/trace", true), Line::Trace(false));
        assert_eq!(parse("/trace off"), Line::Trace(false));
    }

    #[test]
    fn what_is_no_command_is_never_sent() {
        let wrong = |line: &str| match parse(line) {
            Line::Wrong { code, reason, hint } => (code, reason, hint),
            other => panic!("{other:?}"),
        };
        let (code, reason, hint) = wrong("/pers");
        assert_eq!((code, &*reason), ("unknown-command", "there is no command /pers"));
        assert!(hint.contains("did you mean /peers?"), "{hint}");
        assert!(wrong("/xyzzyx").2.contains("/help"));
        assert!(wrong("/quitting-now").2.contains("/quit"));
        assert_eq!(wrong("/").0, "unknown-command");
        assert_eq!(
            wrong("/msg eva"),
            ("bad-command", "/msg needs a nick and a text".into(), "write /msg NICK TEXT".into())
        );
        assert_eq!(wrong("/peers now").2, "write /peers");
        assert_eq!(wrong("/trace maybe").2, "write /trace [on|off]");
    }
}
