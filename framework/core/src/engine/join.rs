//! From a stranger to a member, and out again.

use core::time::Duration;
use std::sync::Arc;

use super::Engine;
use super::api::{CloseReason, Event, Output};
use super::roster::{Roster, suffixed};
use super::sync;
use crate::id::Peer;
use crate::peers::{Addr, State};
use crate::time::{Instant, earliest};
use crate::topology::Input;

/// While nobody lets this node in, that is told this often.
const REPORT: Duration = Duration::from_secs(5);
/// And given up after this.
const GIVE_UP: Duration = Duration::from_secs(30);
/// What to do when no member answers.
pub(super) const UNREACHED: &str = "check that the address is right and that a member runs there";
/// Leaving waits this long for the topology, and again for neighbours to hear of it.
const MEND: Duration = Duration::from_secs(2);
/// What is kept for both together when deliveries take all the time there is.
pub const GOODBYE: Duration = Duration::from_secs(2);
/// A member says within this time after a link is up that it is one.
const INTRODUCTION: Duration = Duration::from_secs(2);
/// Nicks tried when a default one is taken.
const NICKS_MAX: u32 = 16;

/// Where this node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Joining {
        until: Instant,
        report: Instant,
        contact: Option<Peer>,
    },
    Member,
    /// All is to be over by `end`, the goodbye too.
    Draining {
        end: Instant,
    },
    Mending {
        until: Instant,
        end: Instant,
    },
    Telling {
        until: Instant,
    },
    Stopped,
}

/// When the goodbye has to begin, to be over by `end`.
fn goodbye(end: Instant) -> Instant {
    end.before(GOODBYE)
}

impl Engine {
    pub(crate) fn phase_deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Joining { until, report, .. } => Some(until.min(report)),
            Phase::Draining { end } => Some(goodbye(end)),
            Phase::Mending { until, .. } | Phase::Telling { until } => Some(until),
            _ => None,
        }
    }

    pub(crate) fn found(&mut self) {
        match self.phase {
            Phase::Idle => self.restore(),
            Phase::Joining { .. } if !self.somebody_is_there() => {
                let reason = "nobody known from before answers: founding the group; they are asked again";
                self.base.event(Event::Waiting(reason.into()));
            }
            _ => return,
        }
        self.ask(Input::Found);
        self.become_member();
    }

    pub(crate) fn join(&mut self, contacts: Vec<Addr>) {
        let now = self.base.now;
        match self.phase {
            Phase::Idle => {
                self.restore();
                self.phase = Phase::Joining { until: now + GIVE_UP, report: now + REPORT, contact: None };
            }
            Phase::Joining { .. } => {}
            _ => return,
        }
        self.dialer.add_contacts(contacts, now);
    }

    /// True when somebody is linked who is a member, or may be: it has not had the time to say so. Whoever is none may
    /// wait for this node as this node waits for it. And when a member refuses to link: it may not do so for ever.
    fn somebody_is_there(&self) -> bool {
        let now = self.base.now;
        self.base.links.iter().any(|l| l.member_there || now.since(l.up) < INTRODUCTION)
            || self.dialer.is_refused_by_member()
    }

    /// True while joining when every address was tried and no member is there.
    #[must_use]
    pub fn nobody_answers(&self) -> bool {
        matches!(self.phase, Phase::Joining { .. }) && !self.somebody_is_there() && self.dialer.all_tried()
    }

    /// Gives the topology back what it kept in an earlier run.
    fn restore(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.ask(Input::Restored { slot: &slot });
        }
    }

    /// Asks to be let in, as soon as some linked member has told all it knows.
    pub(crate) fn go_on_joining(&mut self) {
        let Phase::Joining { contact, .. } = &self.phase else { return };
        if contact.is_some() {
            return;
        }
        let Some(member) = self.base.links.iter().find(|l| l.sync.complete && l.member_there).map(|l| l.peer)
        else {
            return;
        };
        if let Phase::Joining { contact, .. } = &mut self.phase {
            *contact = Some(member);
        }
        self.dialer.rest_contacts();
        if !self.nick_explicit {
            let nick = Roster::free_nick(&self.base, self.roster.nick());
            self.roster.claim(nick);
        }
        let (nick, claimed_at) = (self.roster.nick().clone(), self.roster.claimed_at());
        if self.base.peers.nick_holder(&nick).is_some_and(|p| p != Peer::ME) {
            return self.refused("nick-taken", format!("the nick {nick} is taken"));
        }
        self.ask(Input::Join { contact: member, nick, claimed_at });
    }

    /// The contact is gone: another one, or the same again.
    pub(crate) fn contact_lost(&mut self, peer: Peer) {
        let now = self.base.now;
        if let Phase::Joining { contact, .. } = &mut self.phase {
            if *contact == Some(peer) {
                *contact = None;
            }
            // While another link is up, that one is asked; dialling again would only replace it.
            if self.base.links.up().is_empty() {
                self.dialer.revive_contacts(now);
                // Those that it told of may let this node in as well.
                self.dialer.add_contacts(Vec::new(), now);
            }
        }
    }

    /// The topology has let this node in.
    pub(crate) fn joined(&mut self) {
        if matches!(self.phase, Phase::Joining { .. }) {
            self.become_member();
        }
    }

    fn become_member(&mut self) {
        self.phase = Phase::Member;
        self.dialer.drop_contacts();
        self.dialer.start_rejoining(&mut self.base);
        self.roster.activate(&mut self.base);
        self.roster.settle_nick(&mut self.base);
        self.mark_history();
        self.base.ready = true;
        self.base.event(Event::Ready { nick: self.roster.nick().clone() });
    }

    /// The topology has not let this node in.
    pub(crate) fn refused(&mut self, code: &'static str, reason: String) {
        let Phase::Joining { contact, .. } = &self.phase else { return };
        let contact = *contact;
        if code == "nick-taken" && !self.nick_explicit && self.nicks_tried < NICKS_MAX {
            self.nicks_tried += 1;
            let wanted: Arc<str> = self.nick_wanted.clone();
            let n = self.nicks_tried + 1;
            let nick = Roster::free_nick(&self.base, &suffixed(&wanted, &n.to_string()));
            self.roster.claim(nick.clone());
            if let Some(contact) = contact {
                let claimed_at = self.roster.claimed_at();
                self.ask(Input::Join { contact, nick, claimed_at });
            }
            return;
        }
        let hint = match code {
            "nick-taken" => "choose another with --nick",
            _ => "see the reason",
        };
        self.stop_with(code, reason, hint);
    }

    /// Ends this node at once, saying why.
    pub(crate) fn stop_with(&mut self, code: &'static str, reason: String, hint: &'static str) {
        if self.phase == Phase::Stopped {
            return;
        }
        self.base.event(Event::Refused { code, reason, hint });
        self.stop();
    }

    fn stop(&mut self) {
        self.phase = Phase::Stopped;
        for peer in self.base.links.up().to_vec() {
            self.base.close(peer, CloseReason::Leaving);
        }
        self.dialer.store(&mut self.base);
        self.base.out.push(Output::Stop);
    }

    pub(crate) fn leave(&mut self, end: Instant) {
        match self.phase {
            Phase::Member => self.phase = Phase::Draining { end },
            Phase::Idle | Phase::Joining { .. } => self.stop(),
            _ => {}
        }
    }

    /// The topology has nothing more to mend.
    pub(crate) fn topology_left(&mut self) {
        if let Phase::Mending { end, .. } = self.phase {
            self.phase = Phase::Telling { until: end.min(self.base.now + MEND) };
            self.roster.restate(&mut self.base, |r| r.left = true);
            sync::schedule(&mut self.base, Duration::ZERO, true);
        }
    }

    /// Goes on with joining or leaving as far as it can.
    pub(crate) fn advance(&mut self) {
        let now = self.base.now;
        match self.phase {
            Phase::Joining { until, report, .. } => {
                self.go_on_joining();
                if now >= report || now >= until {
                    self.report_join(now >= until);
                }
                if let Some(why) = self.dialer.contact_failure().filter(|_| self.dialer.is_refused()) {
                    self.stop_with(why.code, why.reason, why.hint);
                }
            }
            Phase::Draining { end } if self.all_delivered() || now >= goodbye(end) => {
                let until = (goodbye(end) + GOODBYE / 2).max(now).min(now + MEND);
                self.phase = Phase::Mending { until, end };
                self.ask(Input::Leave);
            }
            Phase::Mending { until, .. } if now >= until => self.topology_left(),
            Phase::Telling { until } => {
                let stamp = self.roster.stamp;
                let live = |p: Peer| self.base.peers.get(p).is_live();
                let told = self.base.links.iter().all(|l| l.sync.acked >= stamp || !live(l.peer));
                let somebody =
                    self.base.links.iter().any(|l| live(l.peer)) || self.base.peers.live().next().is_none();
                if told && somebody || now >= until {
                    self.stop();
                }
            }
            _ => {}
        }
    }

    fn report_join(&mut self, over: bool) {
        let linked = self.base.links.up().len();
        let (reason, code, hint) = match self.dialer.contact_failure() {
            Some(why) => (why.reason, why.code, why.hint),
            None if linked > 0 => {
                let hint = "wait, or join through another member";
                ("linked, but nobody has let this node in yet".into(), "no-admission", hint)
            }
            None => ("no answer from any address".into(), "unreachable", UNREACHED),
        };
        if over {
            self.stop_with(code, reason, hint);
            return;
        }
        if let Phase::Joining { report, .. } = &mut self.phase {
            *report += REPORT;
        }
        self.base.event(Event::Trouble { code, reason, hint });
    }

    /// Links that nobody needs, and guests that never became members, are closed in time.
    pub(crate) fn tidy_links(&mut self) {
        const GUEST: Duration = Duration::from_secs(30);
        const UNNEEDED: Duration = Duration::from_secs(3);
        let now = self.base.now;
        let member = self.phase == Phase::Member;
        let mut closing = Vec::new();
        let peers = &self.base.peers;
        self.base.links.for_each(|l| {
            let guest = peers.get(l.peer).state == State::Unknown;
            let needed = l.wanted || l.wanted_there || !member || guest;
            l.unneeded = if needed { None } else { l.unneeded.or(Some(now)) };
            let idle = l.unneeded.is_some_and(|at| now.since(at) >= UNNEEDED);
            let overdue = guest && member && now.since(l.up) >= GUEST;
            if idle || overdue {
                closing.push(l.peer);
            }
        });
        for peer in closing {
            self.base.close(peer, CloseReason::Unneeded);
        }
    }

    /// The earliest moment at which some part wants to be woken.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.phase == Phase::Stopped {
            return None;
        }
        let delivery = &self.base.config.delivery;
        let parts = [
            self.topology.next_deadline(),
            self.phase_deadline(),
            self.roster.next_deadline(),
            sync::next_deadline(&self.base),
            self.next_probe(),
            self.dialer.next_deadline(),
            self.next_search(),
            self.delivery.own.next_deadline(delivery.delivered_after.0),
            self.delivery.direct.next_deadline(delivery.delivered_after.0),
            self.delivery.sequence.next_deadline(),
            Some(self.tidy_at),
            self.neighbours_at,
        ];
        parts.into_iter().fold(None, earliest)
    }
}
