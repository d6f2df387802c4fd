//! Leaving: a leader makes room for another first; everybody else just says goodbye, and the roster strikes it off.

use core::time::Duration;

use tertulia_core::id::Peer;
use tertulia_core::topology::Ctx;

use super::state::{Phase, Star};
use crate::election::Election;

/// The longest that a leader waits for the next one.
const PARTING: Duration = Duration::from_millis(1000);

impl Star {
    /// This node goes.
    pub(super) fn start_leave(&mut self, cx: &mut Ctx<'_>) {
        if matches!(self.phase, Phase::Leaving(_) | Phase::Gone) {
            return;
        }
        let others = cx.peers.live().any(|(peer, _)| peer != Peer::ME && self.linked.contains(&peer));
        let leads = self.leads() && others;
        self.phase = Phase::Leaving(cx.now + PARTING);
        self.elect(cx, Election::retire);
        if !leads {
            self.part(cx);
        }
    }

    /// Ends the leaving once there is a new leader, or the time is over.
    pub(super) fn part_when_led(&mut self, cx: &mut Ctx<'_>) {
        if let Phase::Leaving(until) = self.phase
            && (until <= cx.now || self.leader().is_some_and(|leader| leader != cx.me()))
        {
            self.part(cx);
        }
    }

    fn part(&mut self, cx: &mut Ctx<'_>) {
        if !matches!(self.phase, Phase::Gone) {
            self.phase = Phase::Gone;
            cx.out.left();
        }
    }
}
