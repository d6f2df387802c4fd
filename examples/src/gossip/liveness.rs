//! Who of the neighbours lives: each is asked regularly, and dead when it left three questions unanswered and the node
//! itself hears nothing of it either. Members that other programs run do not know these questions, and live all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;

/// Unanswered questions after which a neighbour is dead, once the last one has had its time as well.
const UNANSWERED: u32 = 3;

/// What to do about a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask it.
    Ask(PeerId),
    /// It is dead.
    Dead(PeerId),
}

/// A neighbour.
#[derive(Clone, Copy, Debug)]
struct Watched {
    /// When it is asked next, or declared dead.
    next: Instant,
    unanswered: u32,
}

/// Who of the neighbours lives.
#[derive(Debug)]
pub(super) struct Liveness {
    every: Duration,
    watched: BTreeMap<PeerId, Watched>,
    /// Members that the node hears nothing of.
    suspects: BTreeSet<PeerId>,
    /// Declared dead, and still called neighbours by the topology.
    dead: BTreeSet<PeerId>,
}

impl Liveness {
    /// Asks each neighbour this often.
    pub(super) fn new(every: Duration) -> Self {
        Liveness { every, watched: BTreeMap::new(), suspects: BTreeSet::new(), dead: BTreeSet::new() }
    }

    /// These are the neighbours now.
    pub(super) fn neighbours(&mut self, now: Instant, all: impl Iterator<Item = PeerId>) {
        let all: BTreeSet<PeerId> = all.collect();
        self.watched.retain(|peer, _| all.contains(peer));
        self.dead.retain(|peer| all.contains(peer));
        for peer in all {
            if !self.dead.contains(&peer) {
                self.watched.entry(peer).or_insert(Watched { next: now, unanswered: 0 });
            }
        }
    }

    /// A neighbour answered, or showed in another way that it lives.
    pub(super) fn lives(&mut self, now: Instant, peer: PeerId) {
        if let Some(watched) = self.watched.get_mut(&peer) {
            watched.unanswered = 0;
        }
        if self.dead.remove(&peer) {
            self.watched.insert(peer, Watched { next: now + self.every, unanswered: 0 });
        }
    }

    /// The node hears nothing of a member; or it does again, or has come to a verdict of its own.
    pub(super) fn suspects(&mut self, peer: PeerId, yes: bool) {
        if yes {
            self.suspects.insert(peer);
        } else {
            self.suspects.remove(&peer);
        }
    }

    /// The neighbours that are not dead.
    pub(super) fn alive(&self) -> impl Iterator<Item = &PeerId> {
        self.watched.keys()
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.watched.values().map(|w| w.next).min()
    }

    /// What is due.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        for (peer, watched) in self.watched.iter_mut().filter(|(_, w)| w.next <= now) {
            if watched.unanswered == UNANSWERED && self.suspects.contains(peer) {
                due.push(Due::Dead(*peer));
            } else {
                // Whoever is heard of otherwise begins anew.
                watched.unanswered = watched.unanswered % UNANSWERED + 1;
                // From now, not from when it was due: whoever was asleep blames nobody for it.
                watched.next = now + self.every;
                due.push(Due::Ask(*peer));
            }
        }
        for one in &due {
            if let Due::Dead(peer) = one {
                self.watched.remove(peer);
                self.dead.insert(*peer);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(13);
    const ANA: PeerId = PeerId([1; 32]);
    const EVA: PeerId = PeerId([2; 32]);

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn a_silent_neighbour_is_dead_when_the_third_question_has_had_its_time() {
        let mut liveness = Liveness::new(EVERY);
        liveness.suspects(ANA, true);
        liveness.neighbours(at(1000), [ANA, EVA].into_iter());
        for asked in [1_000, 14_000, 27_000] {
            assert_eq!(liveness.next_deadline(), Some(at(asked)));
            assert!(liveness.due(at(asked - 1)).is_empty());
            assert_eq!(liveness.due(at(asked)), [Due::Ask(ANA), Due::Ask(EVA)]);
            liveness.lives(at(asked + 5), EVA);
        }
        assert!(liveness.due(at(39_999)).is_empty());
        assert_eq!(liveness.due(at(40_000)), [Due::Dead(ANA), Due::Ask(EVA)]);
        assert_eq!(liveness.alive().collect::<Vec<_>>(), [&EVA]);
        // It is told once, for as long as the topology takes it for a neighbour.
        liveness.neighbours(at(41_000), [ANA, EVA].into_iter());
        assert_eq!(liveness.due(at(53_000)), [Due::Ask(EVA)]);
    }

    #[test]
    fn an_answer_to_the_third_question_saves() {
        let mut liveness = Liveness::new(EVERY);
        liveness.suspects(ANA, true);
        liveness.neighbours(at(0), [ANA].into_iter());
        for asked in [0, 13_000, 26_000] {
            assert_eq!(liveness.due(at(asked)), [Due::Ask(ANA)]);
        }
        liveness.lives(at(38_999), ANA);
        for asked in [39_000, 52_000, 65_000] {
            assert_eq!(liveness.due(at(asked)), [Due::Ask(ANA)]);
        }
        assert_eq!(liveness.due(at(78_000)), [Due::Dead(ANA)]);
        liveness.lives(at(79_000), ANA);
        assert_eq!(liveness.due(at(92_000)), [Due::Ask(ANA)], "it is back");
    }

    #[test]
    fn whoever_answers_no_question_lives_while_the_node_hears_of_it() {
        let mut liveness = Liveness::new(EVERY);
        liveness.neighbours(at(0), [ANA].into_iter());
        for n in 0..100 {
            assert_eq!(liveness.due(at(n * 13_000)), [Due::Ask(ANA)], "question {n}");
        }
        // Whatever it left unanswered before: it is heard of again before three more have had their time.
        liveness.suspects(ANA, true);
        for n in [100, 101] {
            assert_eq!(liveness.due(at(n * 13_000)), [Due::Ask(ANA)], "question {n}");
        }
        liveness.suspects(ANA, false);
        assert_eq!(liveness.due(at(1_326_000)), [Due::Ask(ANA)]);
        liveness.suspects(ANA, true);
        for n in [103, 104] {
            assert_eq!(liveness.due(at(n * 13_000)), [Due::Ask(ANA)], "question {n}");
        }
        assert_eq!(liveness.due(at(1_365_000)), [Due::Dead(ANA)]);
    }

    #[test]
    fn whoever_slept_blames_nobody() {
        let mut liveness = Liveness::new(EVERY);
        liveness.neighbours(at(0), [ANA].into_iter());
        liveness.due(at(0));
        assert_eq!(liveness.due(at(100_000)), [Due::Ask(ANA)]);
        assert!(liveness.due(at(112_999)).is_empty());
    }

    #[test]
    fn only_neighbours_are_asked() {
        let mut liveness = Liveness::new(EVERY);
        liveness.neighbours(at(0), [ANA].into_iter());
        liveness.neighbours(at(5), [EVA].into_iter());
        assert_eq!(liveness.due(at(10)), [Due::Ask(EVA)]);
        liveness.lives(at(11), ANA);
        assert_eq!(liveness.alive().count(), 1);
    }
}
