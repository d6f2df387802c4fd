//! The chat that every program here offers: lines in, events out, as JSON or for people.

pub(crate) mod beside;
mod input;
mod line;
pub(crate) mod log;
pub(crate) mod output;
mod plain;
pub mod program;
mod sent;
mod session;
mod shape;
pub(crate) mod signals;
pub(crate) mod text;
pub(crate) mod told;

use std::fs::File;

use tertulia::bus::{Filter, Node, Outcome};
use tertulia::link::Locator;
use tertulia::profile::{NICK_MAX, Profile, nick_problem};
use tertulia::registry::Registry;

use crate::cli::{ChatOptions, Failure, Mode};
use beside::Beside;
use output::Output;
use session::{Ended, Session, TEXT};
use signals::Signals;

/// Events that may wait to be read: more than there can be messages on their way.
const EVENTS: usize = 131_072;

/// Talks with the group that the options name, until it is left.
///
/// # Errors
/// Why there was no talk, or how it ended badly.
pub fn run(options: &ChatOptions, registry: &Registry) -> Result<(), Failure> {
    run_beside(options, registry, None)
}

/// What a program brings that does more than talk.
pub(crate) struct Extra<'a> {
    /// The highest kind of its own messages.
    pub(crate) kinds: u16,
    /// Begins it, once it is known where the member listens. Also the file that takes a copy of what is told.
    #[allow(clippy::type_complexity, reason = "it is named once")]
    pub(crate) begin: &'a dyn Fn(&Profile, &Locator) -> Result<(Box<dyn Beside>, File), Failure>,
}

/// The same, with what the program does beside.
pub(crate) fn run_beside(
    options: &ChatOptions,
    registry: &Registry,
    extra: Option<&Extra<'_>>,
) -> Result<(), Failure> {
    let profile = options.profile(registry)?;
    log::start(&profile)?;
    let outcome = block_on(talk(options, &profile, registry, extra))?;
    let Ended::Over(outcome) = outcome? else {
        return Err(Failure::new("left at once: the others may take this member for dead"));
    };
    match outcome {
        Outcome::Left => Ok(()),
        // It was an event already.
        Outcome::Refused { .. } => Err(Failure { message: String::new(), status: 1 }),
        Outcome::LeftEarly => Err(Failure::new("left before everything was delivered")),
        Outcome::Failed => Err(Failure::new("the node failed; see the log, and please report it")),
    }
}

/// An event in lines for people.
#[cfg(test)]
pub(crate) fn show(told: &told::Told, out: &mut String) {
    plain::write(told, out);
}

/// Starts a conversation in which nobody types, for tests: what it tells, as JSON.
#[cfg(test)]
pub(crate) async fn overhear(
    builder: tertulia::bus::Builder,
    kinds: u16,
    beside: Box<dyn Beside>,
) -> tokio::io::DuplexStream {
    let feed = builder.feed(Filter::all().kinds(TEXT..=kinds), EVENTS);
    let node = builder.start().await.unwrap();
    let (pipe, told) = tokio::io::duplex(1 << 20);
    tokio::spawn(async move {
        let (_asks, signals) = Signals::channel();
        let (_typed, lines) = tokio::sync::mpsc::channel(1);
        let names = ("mesh".to_owned(), "gossip".to_owned());
        let session = Session::new(node, feed, lines, signals, Output::to(true, pipe), names);
        session.beside(beside).run().await
    });
    told
}

/// Runs a future, and leaves behind whatever waits for input or output.
///
/// # Errors
/// When the system has no threads left.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(format!("this program cannot run: {error}; free some memory")))?;
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(output)
}

async fn talk(
    options: &ChatOptions,
    profile: &Profile,
    registry: &Registry,
    extra: Option<&Extra<'_>>,
) -> Result<Ended, Failure> {
    let cannot =
        |error: std::io::Error| Failure::new(format!("signals cannot be handled: {error}; try again"));
    let signals = Signals::new().map_err(cannot)?;
    let mut builder = tertulia::bus::Builder::from_profile(profile, registry)?;
    if profile.node.nick.is_none()
        && let Some(nick) = default_nick()
    {
        builder = builder.nick(nick);
    }
    if options.found {
        builder = builder.found();
    }
    let kinds = TEXT..=extra.map_or(TEXT, |extra| extra.kinds);
    let feed = builder.feed(Filter::all().kinds(kinds), EVENTS);
    let node: Node = builder.start().await.map_err(|error| {
        let status = if matches!(error.code(), "bad-nick" | "bad-address" | "unfit") { 2 } else { 1 };
        Failure { message: error.to_string(), status }
    })?;
    let lines = input::lines(profile.limits.message.bytes());
    let mut output = Output::new(options.mode() == Mode::Json);
    let names = (profile.topology.kind.clone(), profile.group.name.clone());
    let mut beside: Box<dyn Beside> = Box::new(());
    if let Some(extra) = extra {
        let (begun, copy) = (extra.begin)(profile, node.addr())?;
        (beside, output) = (begun, output.copied(copy));
    }
    Ok(Session::new(node, feed, lines, signals, output, names).beside(beside).run().await)
}

/// The user's name, as far as it can be a nick.
fn default_nick() -> Option<String> {
    let user = std::env::var("USER").or_else(|_| std::env::var("USERNAME")).ok()?;
    nick_of(&user)
}

/// A name as a nick: one word, cut between two characters where it is too long.
fn nick_of(name: &str) -> Option<String> {
    let mut nick = text::clean(name).split_whitespace().collect::<Vec<_>>().join("-");
    nick.truncate(nick.floor_char_boundary(NICK_MAX));
    nick_problem(&nick).is_none().then_some(nick)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_nick() {
        let nick = |name: &str| nick_of(name);
        assert_eq!(nick("Ana  María\u{202e}").as_deref(), Some("Ana-María"));
        assert_eq!(nick(&"x".repeat(40)), Some("x".repeat(32)));
        // 20 letters of two bytes, and one byte before them: the cut is within a letter.
        assert_eq!(nick(&"ж".repeat(20)), Some("ж".repeat(16)));
        assert_eq!(nick(&format!("a{}", "ж".repeat(20))), Some(format!("a{}", "ж".repeat(15))));
        assert_eq!((nick(""), nick(" \t"), nick("/quit")), (None, None, None));
    }
}
