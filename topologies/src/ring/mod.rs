#![doc = include_str!("docs.md")]

mod admit;
mod config;
mod courier;
mod discovery;
mod join;
mod leave;
pub mod messages;
mod order;
mod planted;
mod repair;
mod route;
mod state;
mod view;
mod wire;

#[cfg(test)]
mod tests;

use tertulia_core::config::Scope;
use tertulia_core::id::Peer;
use tertulia_core::peers::PeerTable;
use tertulia_core::time::{Instant, earliest};
use tertulia_core::topology::{Ctx, Input, Needs, Topology, View};

pub use config::{Config, RedundantConfig, SUCCESSORS_MAX, Settings};
pub use planted::Planted;
pub use tertulia_core::option::BadOption;

use messages::{Code, Letter, Msg};
use state::{Phase, Ring};

/// The name that a profile chooses the plain ring by.
pub const KIND: &str = "ring";
/// The name that a profile chooses the redundant ring by.
pub const KIND_REDUNDANT: &str = "redundant-ring";

/// What this plug-in is, for people: the page that also opens this module.
pub const DOC: &str = include_str!("docs.md");

/// A ring with these options.
///
/// # Errors
/// An option out of range.
pub fn build<const REDUNDANT: bool>(config: Settings<REDUNDANT>) -> Result<Box<dyn Topology>, BadOption> {
    config.check()?;
    Ok(Box::new(Ring::new(config.tuning())))
}

impl Topology for Ring {
    fn kind(&self) -> &'static str {
        self.tuning.kind
    }

    fn needs(&self) -> Needs {
        Needs { roster: Scope::Group, reliable: false }
    }

    fn on_input(&mut self, cx: &mut Ctx<'_>, input: Input<'_>) {
        match input {
            Input::Found => {
                self.become_member(cx);
                self.settle(cx);
            }
            Input::Join { contact, nick, claimed_at } => self.start_join(cx, contact, nick, claimed_at),
            Input::Leave => self.start_leave(cx),
            Input::LinkUp { peer } => self.on_link_up(cx, peer),
            Input::LinkDown { peer } => self.on_link_down(cx, peer),
            Input::Frame { from, body } => self.on_frame(cx, from, body),
            Input::Route { parcel, from, novelty } => self.route(cx, parcel, from, novelty),
            Input::Pulled { .. } | Input::Restored { .. } | Input::Committed { .. } => {}
            Input::Member { peer } => {
                self.end_reservation(cx, peer);
                self.settle(cx);
            }
            Input::Forgotten { peer } => self.on_forgotten(cx, peer),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Joining(request) => Some(request.next_deadline()),
            Phase::Leaving(until) => Some(*until),
            _ => None,
        };
        let admissions = self.admissions.values().filter_map(admit::Admission::next_deadline).min();
        let own = earliest(phase, earliest(self.tick, self.look));
        earliest(own, earliest(admissions, self.courier.next_deadline()))
    }

    fn on_deadline(&mut self, cx: &mut Ctx<'_>) {
        self.ask(cx);
        let given_up = self.courier.resend(cx);
        self.reroute(cx, given_up);
        self.part_when_heard(cx);
        self.hurry_admissions(cx);
        if self.tick.is_some_and(|at| at <= cx.now) {
            self.stabilise(cx);
        }
        if self.look.is_some_and(|at| at <= cx.now) {
            self.look = None;
            self.settle(cx);
        }
    }

    fn view(&self, peers: &PeerTable) -> View {
        self.look_around(peers)
    }
}

impl Ring {
    fn on_link_up(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.linked.insert(peer);
        // Whoever links anew after its QUIT is back.
        self.quitting.remove(&cx.peers.id(peer));
        self.settle(cx);
    }

    fn on_link_down(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.linked.remove(&peer);
        if let Some(want) = self.wanted.get_mut(&peer) {
            want.since = cx.now;
        }
        self.greeted.0 = self.greeted.0.filter(|&p| p != peer);
        self.greeted.1 = self.greeted.1.filter(|&p| p != peer);
        self.settle(cx);
        let lost = self.courier.lost(peer);
        self.reroute(cx, lost);
        self.part_when_heard(cx);
    }

    /// The handle will name another: nothing of the old one may stay.
    fn on_forgotten(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.linked.remove(&peer);
        self.wanted.remove(&peer);
        self.successors.retain(|&p| p != peer);
        self.anchor = self.anchor.filter(|&p| p != peer);
        self.helped = self.helped.filter(|&p| p != peer);
        self.greeted = (None, None);
        self.forget_contact(peer);
        let lost = self.courier.lost(peer);
        self.settle(cx);
        self.reroute(cx, lost);
        self.part_when_heard(cx);
    }

    fn on_frame(&mut self, cx: &mut Ctx<'_>, from: Peer, body: &[u8]) {
        let Ok(Letter { nonce, msg }) = Letter::decode(body) else {
            self.ignored = self.ignored.saturating_add(1);
            return;
        };
        cx.out.trace(msg.code().name(), from, false);
        match msg {
            Msg::Join { nick, claimed_at, addrs } => self.on_join(cx, from, nonce, nick, claimed_at, addrs),
            Msg::Query(query) => self.on_query(cx, from, nonce, query),
            Msg::Answer { hops, asker, newcomer, holder } => {
                self.on_answer(cx, from, nonce, (hops, asker, newcomer, holder));
            }
            Msg::Ack { of, around } => {
                let was_awaited = self.courier.acked(from, of, nonce);
                if was_awaited && of == Code::ChangePrec {
                    self.on_view(cx, from, &around);
                }
                self.part_when_heard(cx);
            }
            Msg::Accepted(around) => self.on_accepted(cx, from, nonce, &around),
            Msg::Refused { holder } => self.on_refused(cx, from, nonce, holder),
            Msg::ChangePrec { side, place } => self.on_change_prec(cx, from, nonce, side, &place),
            Msg::Quit { side, heir, beyond } => self.on_quit(cx, from, nonce, (side, &heir, &beyond)),
        }
    }
}
