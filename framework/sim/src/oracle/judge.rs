//! The judgement at the end of a run: expected, delivered, orphaned, lost.

use std::time::Duration;

use tertulia_core::time::Instant;

use super::spans::Spans;
use super::stream::Stream;
use super::{Oracle, Tally, Violation};

/// What a scenario expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect {
    /// Gaps told of messages that somebody still had are fine: the scenario is longer than the history.
    pub gaps: bool,
    /// Members get what was published while they were away. False where newcomers get no history.
    pub while_away: bool,
    /// What is missing is no violation, only counted: runs without repair.
    pub losses: bool,
    /// A member that came in less than this before a message was accepted may not have been known to its origin; if
    /// the origin has left since and nobody holds the message, it is orphaned for that member.
    pub acquaint: Duration,
}

impl Default for Expect {
    fn default() -> Self {
        Expect { gaps: false, while_away: true, losses: false, acquaint: Duration::from_millis(250) }
    }
}

/// What became of (message, receiver) pairs, and what was broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The counts.
    pub tally: Tally,
    /// Everything that was broken, the first ones in detail.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// True when nothing was broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

/// One receiver of one stream, at the end.
struct Receipt {
    node: u32,
    /// The first number that it should have.
    due: u64,
    /// The first number whose origin must have known it.
    known: u64,
    /// What it got, in any of its runs.
    got: Spans,
    /// What its present run was told as a gap.
    told: Spans,
}

impl Oracle {
    /// Judges the run as it stands at `now`; `correct` are the members that run.
    #[must_use]
    pub fn judge(&self, now: Instant, correct: &[u32], expect: &Expect) -> Verdict {
        let mut v = Verdict { tally: self.tally, violations: self.violations.clone() };
        for (index, stream) in (0u32..).zip(&self.streams) {
            self.judge_stream(now, index, stream, correct, expect, &mut v);
        }
        v
    }

    /// True when `correct` have everything that they should have by now.
    #[must_use]
    pub fn is_complete(&self, now: Instant, correct: &[u32], expect: &Expect) -> bool {
        self.judge(now, correct, expect).tally.lost == 0
    }

    fn receipt(&self, node: u32, index: u32, stream: &Stream, expect: &Expect) -> Option<(Receipt, Spans)> {
        let runs = self.nodes.get(node as usize)?;
        let present = runs.last()?;
        let since = if expect.while_away { runs.iter().find_map(|r| r.ready) } else { present.ready }?;
        let mut got = Spans::default();
        for run in runs {
            if let Some(p) = run.of(index) {
                got.extend(&p.got);
            }
        }
        let held = present.of(index).map(|p| p.got.clone()).unwrap_or_default();
        let told = present.of(index).map(|p| p.told.clone()).unwrap_or_default();
        let (due, known) = (stream.first_since(since), stream.first_since(since + expect.acquaint));
        Some((Receipt { node, due, known, got, told }, held))
    }

    fn judge_stream(
        &self,
        now: Instant,
        index: u32,
        stream: &Stream,
        correct: &[u32],
        expect: &Expect,
        v: &mut Verdict,
    ) {
        let key = stream.key;
        let last = stream.last();
        let mut held = Spans::default();
        let mut receipts = Vec::new();
        for &node in correct {
            if node == key.origin || key.to.is_some_and(|to| to != node) {
                continue;
            }
            if let Some((receipt, holds)) = self.receipt(node, index, stream, expect) {
                held.extend(&holds);
                receipts.push(receipt);
            }
        }
        let run = self.nodes.get(key.origin as usize).and_then(|runs| runs.get(key.run as usize - 1));
        let ended = run.and_then(|r| r.ended);
        // What may be missing everywhere: the origin's run is over and nobody has it.
        if ended.is_none() {
            held.insert(1, last);
        }
        let left = ended.is_some_and(|(_, told)| told);
        for r in receipts {
            if r.due > last {
                continue;
            }
            let mut held = held.clone();
            if left {
                // Its origin saw to it before it went, or said that it could not.
                held.extend(&stream.partial.missing(r.known, last));
            }
            let missing = r.got.missing(r.due, last);
            v.tally.expected += last - r.due + 1;
            v.tally.delivered += last - r.due + 1 - missing.count();
            for (from, to) in missing.iter() {
                let held = held.count_within(from, to);
                v.tally.orphaned += to - from + 1 - held;
                if held == 0 {
                    continue;
                }
                let mut told = r.told.count_within(from, to);
                if key.to.is_some() {
                    told += stream.partial.count_within(from, to);
                }
                let told = told.min(held);
                v.tally.told += told;
                let who = format!("n{} misses n{}/{from}..={to}", r.node, key.origin);
                if told > 0 && !expect.gaps && key.to.is_none() {
                    let detail = format!("{who} (told) though somebody has them");
                    v.violations.push(Violation { at: now, invariant: "gap", detail });
                }
                v.tally.lost += held - told;
                if held > told && !expect.losses {
                    let direct = if key.to.is_some() { ", direct" } else { "" };
                    let detail = format!("{who}, {held} not orphaned{direct}");
                    v.violations.push(Violation { at: now, invariant: "lost", detail });
                }
            }
        }
    }
}
