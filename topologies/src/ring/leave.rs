//! Leaving: `QUIT` names the side that it mends.
//!
//! The documented message made both neighbours set their *next*, so that the successor pointed back at the
//! predecessor and a ring of four or more came apart. Here each neighbour is told on which of its sides the leaver
//! stood and who stands there from now on.

use core::time::Duration;

use tertulia_core::id::Peer;
use tertulia_core::topology::Ctx;

use super::join::acknowledge;
use super::messages::{Code, Letter, Msg, Place, Side};
use super::order;
use super::planted::Planted;
use super::state::{Phase, Ring};
use crate::place::place;

/// The longest that a leaver waits to be heard.
const PARTING_MAX: Duration = Duration::from_secs(3);

impl Ring {
    /// This node goes. Alone, at once; otherwise when both neighbours know, or shortly after the second try.
    pub(super) fn start_leave(&mut self, cx: &mut Ctx<'_>) {
        let neighbours = match self.phase {
            Phase::Leaving(_) => return,
            Phase::Member => (self.next_linked(cx.peers), self.previous_linked(cx.peers)),
            _ => (None, None),
        };
        let (Some(next), Some(previous)) = neighbours else {
            self.part(cx);
            return;
        };
        self.phase = Phase::Leaving(cx.now + self.tuning.retry.saturating_mul(5).min(PARTING_MAX));
        let after: Vec<Peer> = order::members(cx.peers, &self.quitting).map(|(peer, _)| peer).collect();
        let (Some(&first), Some(&last)) = (after.first(), after.last()) else { return };
        let places = |peers: &[Peer]| peers.iter().map(|&p| place(cx.peers, p)).collect::<Vec<_>>();
        let r = self.tuning.successors;
        let beyond = places(&after[..r.min(after.len())]);
        let before: Vec<Peer> = after.iter().rev().take(r).copied().collect();
        let before = places(&before);
        let (first, last) = (place(cx.peers, first), place(cx.peers, last));
        self.say_quit(cx, previous, Side::Successor, first, beyond);
        if after.len() > 1 {
            let side = match self.tuning.planted {
                Some(Planted::DocumentedQuit) => Side::Successor,
                _ => Side::Predecessor,
            };
            self.say_quit(cx, next, side, last, before);
        }
    }

    fn say_quit(&mut self, cx: &mut Ctx<'_>, to: Peer, side: Side, heir: Place, beyond: Vec<Place>) {
        let letter = Letter { nonce: cx.rng.next_u64(), msg: Msg::Quit { side, heir, beyond } };
        self.courier.post(cx, to, &letter);
    }

    /// A neighbour goes.
    pub(super) fn on_quit(
        &mut self,
        cx: &mut Ctx<'_>,
        from: Peer,
        nonce: u64,
        (side, heir, beyond): (Side, &Place, &[Place]),
    ) {
        acknowledge(cx, from, Code::Quit, nonce);
        if !self.courier.is_new(Code::Quit, nonce) {
            return;
        }
        self.hear_quit(cx, cx.peers.id(from));
        self.quit_planted(cx, side, heir.id);
        for named in std::iter::once(heir).chain(beyond) {
            self.hear_of(cx, named);
        }
        self.settle(cx);
    }

    /// Ends the leaving once nobody has to be told any more, or the time is over.
    pub(super) fn part_when_heard(&mut self, cx: &mut Ctx<'_>) {
        if let Phase::Leaving(until) = self.phase
            && (until <= cx.now || !self.courier.awaits(Code::Quit))
        {
            self.part(cx);
        }
    }

    fn part(&mut self, cx: &mut Ctx<'_>) {
        self.phase = Phase::Gone;
        self.tick = None;
        cx.out.left();
    }
}
