//! A schedule: what happens to whom, and when. As text: `3/17 JFL 0@- 2@18 1@-` is three members, seed 17, a join
//! asking node 0 once all is quiet, the failure of node 2 eighteen messages later, a leave of node 1 once all is
//! quiet again.

use std::fmt;
use std::str::FromStr;

use tertulia_core::rng::mix;

use super::run::QUIET;

/// What can be done to a small group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Somebody new comes.
    Join,
    /// A member leaves in good order.
    Leave,
    /// A member's process dies.
    Fail,
}

impl Act {
    /// All of them.
    pub const ALL: [Act; 3] = [Act::Join, Act::Leave, Act::Fail];

    /// `J`, `L`, `F`.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Act::Join => 'J',
            Act::Leave => 'L',
            Act::Fail => 'F',
        }
    }
}

/// Where an event strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Who goes; of a join, who is asked.
    pub who: u32,
    /// Messages processed since the event before; `u64::MAX`: when all is quiet.
    pub after: u64,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schedule {
    /// Members at the start.
    pub start: u32,
    /// The seed of the run; the order of ids depends on it.
    pub seed: u64,
    /// What happens.
    pub acts: Vec<Act>,
    /// Where; the first of `acts` only while a schedule is being made.
    pub places: Vec<Place>,
}

impl Schedule {
    pub(super) fn then(&self, place: Place) -> Schedule {
        let places = [&self.places[..], &[place]].concat();
        Schedule { places, ..self.clone() }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.places.len() == self.acts.len()
    }

    /// A number that differs from schedule to schedule.
    pub(super) fn salt(&self) -> u64 {
        let acts = self.acts.iter().map(|&a| a as u64);
        let places = self.places.iter().flat_map(|p| [u64::from(p.who), p.after]);
        acts.chain(places).fold(mix(self.seed ^ u64::from(self.start) << 32), |h, x| mix(h ^ x))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ", self.start, self.seed)?;
        self.acts.iter().try_for_each(|act| write!(f, "{}", act.letter()))?;
        self.places.iter().try_for_each(|place| match place.after {
            QUIET => write!(f, " {}@-", place.who),
            after => write!(f, " {}@{after}", place.who),
        })
    }
}

/// A text that is no schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a schedule; write one as `3/17 JFL 0@- 2@18 1@-`")]
pub struct BadSchedule;

impl FromStr for Schedule {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        let mut words = text.split_whitespace();
        let parsed = (|| {
            let (start, seed) = words.next()?.split_once('/')?;
            let act = |c| Act::ALL.into_iter().find(|a| a.letter() == c);
            let acts: Vec<Act> = words.next()?.chars().map(act).collect::<Option<_>>()?;
            let place = |word: &str| {
                let (who, after) = word.split_once('@')?;
                let after = if after == "-" { QUIET } else { after.parse().ok()? };
                Some(Place { who: who.parse().ok()?, after })
            };
            let places: Vec<Place> = words.by_ref().map(place).collect::<Option<_>>()?;
            Some(Schedule { start: start.parse().ok()?, seed: seed.parse().ok()?, acts, places })
        })();
        parsed.filter(|s| s.is_whole() && !s.acts.is_empty()).ok_or(BadSchedule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_round_trip() {
        for text in ["3/17 JFL 0@- 2@18 1@-", "1/4 J 0@-"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for bad in ["", "3 J 0@-", "3/1 X 0@-", "3/1 J", "3/1 J 0", "3/1 JF 0@-", "3/1 J 0@x"] {
            assert_eq!(bad.parse::<Schedule>(), Err(BadSchedule), "{bad}");
        }
    }
}
