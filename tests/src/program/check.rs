//! What has to be true of everything a member told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::event::{Event, Message};
use super::log::State;

/// What one member heard, by key and run of the origin, in the order in which it came.
pub type Heard = BTreeMap<(String, u64), Vec<Message>>;

/// What was heard. Every stream must be numbered without a gap and without a repetition.
#[must_use]
pub fn heard(state: &State) -> Heard {
    let mut all = Heard::new();
    for stamped in &state.told {
        if let Event::Message(message) = &stamped.event
            && !message.direct
        {
            let stream = all.entry((message.origin.to_string(), message.run())).or_default();
            if let Some(before) = stream.last() {
                assert_eq!(
                    message.seq,
                    before.seq + 1,
                    "lost, doubled or out of order: {before:?}, {message:?}"
                );
            }
            stream.push((**message).clone());
        }
    }
    all
}

/// What was heard of one run that began with its first message: exactly what `said` gives for each number.
pub fn exactly(stream: &[Message], count: u64, said: impl Fn(u64) -> String) {
    assert_eq!(stream.len() as u64, count, "{:?}", stream.last());
    for (n, message) in (1..).zip(stream) {
        assert_eq!((message.seq, &*message.text), (n, said(n).as_str()));
    }
}

/// Lines of this member that were accepted: in order, all of them; and each one's fate, told once.
#[must_use]
pub fn fates(state: &State, said: impl Fn(u64) -> String) -> Vec<(u64, u64)> {
    let mut sent = BTreeMap::new();
    for (n, (id, text)) in (1..).zip(state.told.iter().filter_map(|s| match &s.event {
        Event::Sent { id, text } => Some((id, text)),
        _ => None,
    })) {
        assert_eq!(**text, said(n), "accepted out of order");
        assert!(id.ends_with(&format!("-{n}")), "{id} is not number {n}");
        assert!(sent.insert(id.clone(), None).is_none(), "{id} was sent twice");
    }
    for stamped in &state.told {
        if let Event::Delivered { id, reached, of } = &stamped.event {
            let fate = sent.get_mut(id).unwrap_or_else(|| panic!("{id} was delivered and never sent"));
            assert_eq!(fate.replace((*reached, *of)), None, "{id} was delivered twice");
        }
    }
    let lost: BTreeSet<_> = sent.iter().filter(|(_, fate)| fate.is_none()).map(|(id, _)| id).collect();
    assert!(lost.is_empty(), "nothing was told of {lost:?}");
    sent.into_values().flatten().collect()
}

/// The longest time without a message, from `since` to `until`: from any of `origins`, and from the one of them that was
/// quiet for longest.
#[must_use]
pub fn silence(state: &State, origins: &[String], since: Instant, until: Instant) -> (Duration, Duration) {
    let mut all = Pause::new(since);
    let mut each: BTreeMap<&str, Pause> = origins.iter().map(|o| (o.as_str(), Pause::new(since))).collect();
    for stamped in state.told.iter().filter(|s| (since..=until).contains(&s.at)) {
        if let Event::Message(message) = &stamped.event
            && let Some(one) = each.get_mut(&*message.origin)
        {
            all.until(stamped.at);
            one.until(stamped.at);
        }
    }
    all.until(until);
    each.values_mut().for_each(|pause| pause.until(until));
    (all.longest, each.values().map(|pause| pause.longest).max().unwrap_or_default())
}

struct Pause {
    last: Instant,
    longest: Duration,
}

impl Pause {
    fn new(since: Instant) -> Self {
        Pause { last: since, longest: Duration::ZERO }
    }

    fn until(&mut self, at: Instant) {
        self.longest = self.longest.max(at.duration_since(self.last));
        self.last = at;
    }
}
