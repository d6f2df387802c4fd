//! How large a body grows before it is signed.
//!
//! A signature costs as much as accepting hundreds of small messages, so a body that still grows is worth another turn
//! of the runtime: publishers that are ready run in that turn. There is no timer. A body that did not grow in one turn
//! goes out, so a lone message waits for what was ready anyway, and for nothing else.

/// Turns that a body may go on growing.
const TURNS: u8 = 8;

/// Looks at the body once a turn.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// Its length when last looked at.
    len: usize,
    turns: u8,
}

impl Gathering {
    /// The body has this length now; true when it should be let grow for another turn.
    pub(super) fn look(&mut self, len: usize) -> bool {
        let grows = len > self.len && self.turns < TURNS;
        *self = if grows { Gathering { len, turns: self.turns + 1 } } else { Gathering::default() };
        grows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_goes_when_it_stops_growing() {
        let mut gathering = Gathering::default();
        assert!(!gathering.look(0));
        assert!(gathering.look(100));
        assert!(gathering.look(200));
        assert!(!gathering.look(200));
        assert!(gathering.look(100), "the next one");
    }

    #[test]
    fn a_body_does_not_grow_for_ever() {
        let mut gathering = Gathering::default();
        assert_eq!((1..).take_while(|len| gathering.look(*len)).count(), usize::from(TURNS));
    }
}
