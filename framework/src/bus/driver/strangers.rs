//! Who knocked and was refused, told now and then.

use core::time::Duration;

use tertulia_core::engine::api::Event;
use tertulia_core::time::Instant;

use crate::link::Refusal;

/// Strangers are told of this often at most.
const QUIET: Duration = Duration::from_secs(5);

/// Who was refused, and when that is told.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Nothing is told before this.
    quiet_until: Instant,
    /// Those who were not told of, and why the last of them was refused.
    untold: u64,
    last: Option<(Refusal, &'static str, &'static str)>,
}

impl Strangers {
    /// Somebody was refused, with the refusal's code and hint.
    pub(super) fn knock(&mut self, why: Refusal, code: &'static str, hint: &'static str) {
        self.untold += 1;
        self.last = Some((why, code, hint));
    }

    /// When those not told of are told.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.last.map(|_| self.quiet_until)
    }

    /// What is to be told now; at the end, all that is not told yet.
    pub(super) fn tell(&mut self, now: Instant, end: bool) -> Option<Event> {
        let (why, code, hint) = self.last.filter(|_| end || now >= self.quiet_until)?;
        let more = core::mem::take(&mut self.untold).saturating_sub(1);
        let before = if more > 0 { format!(", and {more} more before") } else { String::new() };
        self.last = None;
        self.quiet_until = now + QUIET;
        let reason = format!("somebody who wanted to join was refused: {why}{before}");
        Some(Event::Trouble { code, reason, hint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(event: Option<Event>) -> Option<String> {
        event.map(|event| match event {
            Event::Trouble { reason, .. } => reason,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn everybody_who_is_refused_is_told_of() {
        let mut strangers = Strangers::default();
        let at = |s| Instant::ZERO + Duration::from_secs(s);
        let knock = |strangers: &mut Strangers, why: Refusal| strangers.knock(why, why.code(), why.hint());
        assert_eq!((told(strangers.tell(at(1), false)), strangers.next_deadline()), (None, None));
        knock(&mut strangers, Refusal::Version);
        assert!(told(strangers.tell(at(1), false)).unwrap().ends_with(&Refusal::Version.to_string()));
        (0..13).for_each(|_| knock(&mut strangers, Refusal::WrongSecret));
        assert_eq!((told(strangers.tell(at(2), false)), strangers.next_deadline()), (None, Some(at(6))));
        let reason = told(strangers.tell(at(6), false)).unwrap();
        knock(&mut strangers, Refusal::Version);
        assert!(told(strangers.tell(at(7), true)).is_some(), "at the end");
        assert_eq!(reason.split_once(", and ").unwrap().1, "12 more before");
        assert_eq!((told(strangers.tell(at(60), false)), strangers.next_deadline()), (None, None));
    }
}
