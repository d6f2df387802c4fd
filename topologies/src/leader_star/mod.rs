#![doc = include_str!("docs.md")]

mod admit;
mod config;
mod join;
mod leave;
mod links;
pub mod messages;
mod order;
mod places;
mod route;
mod state;
mod view;

#[cfg(test)]
mod tests;

use tertulia_core::config::Scope;
use tertulia_core::id::Peer;
use tertulia_core::peers::PeerTable;
use tertulia_core::time::{Instant, earliest};
use tertulia_core::topology::{Ctx, Input, Needs, Order, Topology, View};

pub use config::{Config, ElectionConfig, Routing};
pub use tertulia_core::option::BadOption;

use crate::election::Election;
use messages::Msg;
use state::{Phase, Star};

/// The name that a profile chooses it by.
pub const KIND: &str = "leader-star";

/// What this plug-in is, for people: the page that also opens this module.
pub const DOC: &str = include_str!("docs.md");

/// A star with these options.
///
/// # Errors
/// An option out of range.
pub fn build(config: Config) -> Result<Box<dyn Topology>, BadOption> {
    config.check()?;
    Ok(Box::new(Star::new(&config)))
}

impl Topology for Star {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn elects(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs { roster: Scope::Group, reliable: false }
    }

    fn on_input(&mut self, cx: &mut Ctx<'_>, input: Input<'_>) {
        match input {
            Input::Restored { slot } => self.begin(cx, Some(slot)),
            Input::Found => {
                self.begin(cx, None);
                // A leader from its first moment as a member: nothing of it ever waits for one.
                self.phase = Phase::Member;
                self.elect(cx, Election::found);
            }
            Input::Join { contact, nick, claimed_at } => self.start_join(cx, contact, nick, claimed_at),
            Input::Leave => self.start_leave(cx),
            Input::LinkUp { peer } => self.on_link_up(cx, peer),
            Input::LinkDown { peer } => {
                self.linked.remove(&peer);
                self.count_members(cx);
                self.settle(cx);
            }
            Input::Frame { from, body } => self.on_frame(cx, from, body),
            Input::Route { parcel, from, novelty } => self.route(cx, parcel, from, novelty),
            Input::Committed { origin, incarnation, number } => {
                self.on_committed(cx, origin, incarnation, number);
            }
            Input::Pulled { .. } => {}
            Input::Member { peer } => {
                self.on_arrival(cx, peer);
                self.count_members(cx);
                self.settle(cx);
            }
            Input::Forgotten { peer } => self.on_forgotten(cx, peer),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Joining(joining) => Some(joining.next_deadline()),
            Phase::Leaving(until) => Some(*until),
            _ => None,
        };
        let election = self.election.as_ref().and_then(Election::next_deadline);
        earliest(earliest(phase, self.sequence.next_deadline()), earliest(self.look, election))
    }

    fn on_deadline(&mut self, cx: &mut Ctx<'_>) {
        self.ask(cx);
        if self.election.as_ref().and_then(Election::next_deadline).is_some_and(|at| at <= cx.now) {
            self.elect(cx, Election::on_deadline);
        }
        if self.look.is_some_and(|at| at <= cx.now) {
            self.look = None;
            self.count_members(cx);
            self.settle(cx);
        }
        self.part_when_led(cx);
        self.tell_order(cx);
    }

    fn view(&self, peers: &PeerTable) -> View {
        self.look_around(peers)
    }

    fn accepts(&self) -> bool {
        self.has_way
    }

    fn order(&self) -> Order {
        self.ordering()
    }
}

impl Star {
    fn on_link_up(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.linked.insert(peer);
        self.settle(cx);
        self.hurry(cx, peer);
        let id = cx.peers.id(peer);
        self.elect(cx, |election, io| election.on_link(io, id));
    }

    /// The handle will name another: nothing of the old one may stay.
    fn on_forgotten(&mut self, cx: &mut Ctx<'_>, peer: Peer) {
        self.linked.remove(&peer);
        self.wanted.remove(&peer);
        self.anchor = self.anchor.filter(|&p| p != peer);
        self.forget_contact(peer);
        self.sequence.forget(cx.peers.id(peer));
        self.settle(cx);
    }

    fn on_frame(&mut self, cx: &mut Ctx<'_>, from: Peer, body: &[u8]) {
        let Ok(msg) = Msg::decode(body) else {
            self.ignored = self.ignored.saturating_add(1);
            return;
        };
        cx.out.trace(msg.name(), from, false);
        match msg {
            Msg::Election(message, places) => {
                let id = cx.peers.id(from);
                self.elect(cx, |election, io| election.on_message(io, id, message));
                self.hear_places(cx, from, places);
            }
            Msg::Join { nonce, nick, claimed_at, addrs } => {
                self.on_join(cx, from, nonce, &nick, claimed_at, addrs);
            }
            Msg::Redirect { nonce, leader, addrs } => self.on_redirect(cx, nonce, leader, addrs),
            Msg::Accepted { nonce } => self.on_accepted(cx, from, nonce),
            Msg::Refused { nonce, holder } => self.on_refused(cx, nonce, holder),
            Msg::OrderAsk { ballot, next } => self.on_order_ask(cx, from, ballot, next),
            Msg::OrderBase { ballot, next, steps } => self.on_order_base(cx, from, ballot, next, steps),
            Msg::Order { ballot, first, steps } => self.on_order(cx, from, ballot, first, steps),
        }
    }
}
