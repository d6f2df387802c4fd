//! How a node becomes a member, and when it gives up.

use core::time::Duration;

use tertulia_core::engine::api::{DialFailure, Event, Input};
use tertulia_core::peers::Addr;
use tertulia_core::time::Instant;

/// How a node enters its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Be the first member, here and now, asking nobody.
    Found,
    /// Join through any of these addresses.
    Join(Vec<Addr>),
    /// Join through whomever the address book remembers; be the first member when it is empty.
    Remember,
}

/// A complaint that nobody can be reached, and another try, every so often.
const COMPLAIN: Duration = Duration::from_secs(5);
/// After so long without any link, that was it.
const GIVE_UP: Duration = Duration::from_secs(30);

const HINT: &str = "check that a member runs at one of these addresses, or found the group with --found";

/// Watches the way in.
#[derive(Debug)]
pub(super) struct Startup {
    entry: Entry,
    /// Next complaint, and the end; `None` once a member or when there is nobody to ask.
    watch: Option<(Instant, Instant)>,
    failure: Option<String>,
}

/// What is to be done about the way in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Tell people, and try again.
    Complain(Event, Vec<Addr>),
    /// Tell people, and end.
    GiveUp(Event),
}

impl Startup {
    /// Begins: what to tell the engine. `book` says whether the address book holds anybody.
    pub(super) fn begin(entry: Entry, book: bool, now: Instant) -> (Startup, Input) {
        let entry = match entry {
            Entry::Join(addrs) if addrs.is_empty() => Entry::Remember,
            entry => entry,
        };
        let input = match &entry {
            Entry::Found => Input::Found,
            Entry::Join(addrs) => Input::Join(addrs.clone()),
            Entry::Remember if book => Input::Join(Vec::new()),
            Entry::Remember => Input::Found,
        };
        let watch = matches!(input, Input::Join(_)).then_some((now + COMPLAIN, now + GIVE_UP));
        (Startup { entry, watch, failure: None }, input)
    }

    /// This node is a member.
    pub(super) fn done(&mut self) {
        self.watch = None;
    }

    /// A dial failed.
    pub(super) fn failed(&mut self, failure: &DialFailure) {
        if self.watch.is_some() {
            self.failure = Some(match failure {
                DialFailure::Nobody(reason) | DialFailure::Trouble(reason) => reason.clone(),
                DialFailure::Refused { reason, .. } => reason.clone(),
            });
        }
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.watch.map(|(complain, _)| complain)
    }

    /// Time passed; `linked` says whether anybody is reached.
    pub(super) fn look(&mut self, now: Instant, linked: bool) -> Option<Step> {
        let (complain, give_up) = self.watch.as_mut()?;
        if now < *complain {
            return None;
        }
        *complain = now + COMPLAIN;
        if linked {
            // Somebody was reached and is asked: what comes of it, the topology says.
            *give_up = now + GIVE_UP;
            return None;
        }
        let why = self.failure.take().unwrap_or_else(|| "nobody answered yet".into());
        if now < *give_up {
            let addrs = match &self.entry {
                Entry::Join(addrs) => addrs.clone(),
                _ => Vec::new(),
            };
            let reason = format!("no member can be reached: {why}");
            return Some(Step::Complain(Event::Trouble { code: "unreachable", reason, hint: HINT }, addrs));
        }
        self.watch = None;
        let reason = format!("no member could be reached within {} s: {why}", GIVE_UP.as_secs());
        Some(Step::GiveUp(Event::Refused { code: "unreachable", reason, hint: HINT }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::from_millis(secs * 1000)
    }

    #[test]
    fn complains_every_five_seconds_and_gives_up_after_thirty() {
        let addrs: Vec<Addr> = vec!["tcp://127.0.0.1:1".into()];
        let (mut startup, input) = Startup::begin(Entry::Join(addrs.clone()), false, Instant::ZERO);
        assert!(matches!(input, Input::Join(a) if a == addrs));
        startup.failed(&DialFailure::Nobody("nobody there".into()));
        let mut complaints = 0;
        for secs in 1..=40 {
            match startup.look(at(secs), false) {
                Some(Step::Complain(Event::Trouble { code, reason, .. }, again)) => {
                    assert_eq!((secs % 5, code, &again), (0, "unreachable", &addrs));
                    assert!(complaints > 0 || reason.contains("nobody there"));
                    complaints += 1;
                }
                Some(Step::GiveUp(Event::Refused { code: "unreachable", .. })) => {
                    assert_eq!((secs, complaints), (30, 5));
                    assert_eq!(startup.deadline(), None);
                    return;
                }
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
        panic!("never gave up");
    }

    #[test]
    fn founds_only_when_nobody_is_remembered() {
        let begin = |entry, book| Startup::begin(entry, book, Instant::ZERO);
        assert!(matches!(begin(Entry::Remember, false).1, Input::Found));
        assert!(matches!(begin(Entry::Found, true).1, Input::Found));
        let (mut startup, input) = begin(Entry::Remember, true);
        assert!(matches!(input, Input::Join(a) if a.is_empty()));
        assert!(startup.look(at(31), true).is_none(), "somebody is being asked");
        startup.done();
        assert!(startup.look(at(100), false).is_none());
    }
}
