//! All that one program has told, for tests to wait on.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::event::{Event, Stamped};

/// Longer than anything takes that happens at all.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Events that a failure shows.
const SHOWN: usize = 25;

/// What a program has told so far.
#[derive(Debug, Default)]
pub struct State {
    /// Its events.
    pub told: Vec<Stamped>,
    /// Its lines, when they are not read as events.
    pub lines: Vec<String>,
    /// Messages by the origin's key.
    pub heard: BTreeMap<Box<str>, u64>,
    /// Lines accepted.
    pub sent: u64,
    /// Lines accepted whose fate is known.
    pub delivered: u64,
    /// Its standard error.
    pub stderr: String,
    /// Its standard output and its standard error have ended.
    pub ended: (bool, bool),
    /// How it ended.
    pub status: Option<ExitStatus>,
}

impl State {
    /// Messages of one origin.
    #[must_use]
    pub fn heard(&self, origin: &str) -> u64 {
        self.heard.get(origin).copied().unwrap_or_default()
    }

    /// The rare events of a name, with their times.
    pub fn named<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a Stamped> {
        self.told.iter().filter(move |s| s.event.name() == name)
    }

    /// Nothing more will be told.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended == (true, true) && self.status.is_some()
    }

    pub(super) fn push(&mut self, at: Instant, event: Event) {
        match &event {
            Event::Message(message) => match self.heard.get_mut(&message.origin) {
                Some(n) => *n += 1,
                None => drop(self.heard.insert(message.origin.clone(), 1)),
            },
            Event::Sent { .. } => self.sent += 1,
            Event::Delivered { .. } => self.delivered += 1,
            Event::Other(_) | Event::Garbage(_) => {}
        }
        self.told.push(Stamped { at, event });
    }

    /// The end of it, for people.
    pub(super) fn show(&self, name: &str) -> String {
        let mut out = format!("--- {name}: {:?}, heard ", self.status);
        for (origin, n) in &self.heard {
            out += &format!("{}:{n} ", &origin[..8]);
        }
        out += &format!("sent {} delivered {}\n", self.sent, self.delivered);
        let rare = self.told.iter().filter(|s| matches!(s.event, Event::Other(_) | Event::Garbage(_)));
        let rare: Vec<_> = rare.collect();
        for stamped in &rare[rare.len().saturating_sub(SHOWN)..] {
            let line = match &stamped.event {
                Event::Other(value) => value.to_string(),
                other => format!("{other:?}"),
            };
            out += &format!(
                "  {:?} ago: {}\n",
                stamped.at.elapsed(),
                line.chars().take(300).collect::<String>()
            );
        }
        for line in &self.lines[self.lines.len().saturating_sub(SHOWN)..] {
            out += &format!("  {line}\n");
        }
        out + &format!("  standard error: {:?}\n", self.stderr)
    }
}

/// The same, shared with the threads that read.
#[derive(Debug, Default)]
pub(super) struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

impl Log {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that failed while it looked has changed nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `wanted` finds what it looks for; `None` when it does not in time, or never can.
    pub(super) fn wait<T>(&self, within: Duration, mut wanted: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut state = self.lock();
        loop {
            if let Some(found) = wanted(&state) {
                return Some(found);
            }
            if state.is_over() {
                return None;
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
