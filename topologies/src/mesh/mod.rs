#![doc = include_str!("docs.md")]

mod config;
mod detour;
mod join;
mod links;
pub mod messages;
mod pick;
mod route;
mod state;
mod tree;
mod view;

#[cfg(test)]
mod tests;

use tertulia_core::config::Scope;
use tertulia_core::id::Peer;
use tertulia_core::peers::PeerTable;
use tertulia_core::time::{Instant, earliest};
use tertulia_core::topology::{Ctx, Input, Needs, Topology, View};

pub use crate::option::BadOption;
pub use config::{Choice, Config, DEGREE_MAX, DEGREE_MIN, Degree};

use messages::Msg;
use state::{Mesh, Phase};

/// The name that a profile chooses it by.
pub const KIND: &str = "mesh";

/// What this plug-in is, for people: the page that also opens this module.
pub const DOC: &str = include_str!("docs.md");

/// A mesh with these options. Those out of range are brought into it; [`Config::check`] tells of them.
#[must_use]
pub fn build(config: &Config) -> Box<dyn Topology> {
    Box::new(Mesh::new(config))
}

impl Topology for Mesh {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn needs(&self) -> Needs {
        Needs { roster: Scope::Group, reliable: false }
    }

    fn on_input(&mut self, cx: &mut Ctx<'_>, input: Input<'_>) {
        match input {
            Input::Found => self.become_member(cx),
            Input::Join { contact, nick, .. } => self.start_join(cx, contact, nick),
            Input::Leave => {
                // The roster tells the neighbours, which choose others at once.
                self.phase = Phase::Gone;
                cx.out.left();
            }
            Input::LinkUp { peer } => self.on_link_up(cx, peer),
            Input::LinkDown { peer } => self.on_link_down(cx, peer),
            Input::Frame { from, body } => self.on_frame(cx, from, body),
            Input::Route { parcel, from, novelty } => self.route(cx, parcel, from, novelty),
            Input::Pulled { by, origin } => self.trees.graft(origin, by),
            Input::Member { peer } => self.on_member(cx, peer),
            Input::Forgotten { peer } => self.on_forgotten(cx, peer),
            Input::Restored { .. } | Input::Committed { .. } => {}
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let joining = match &self.phase {
            Phase::Joining(joining) => Some(joining.next_deadline()),
            _ => None,
        };
        earliest(joining, earliest(self.look, self.detours.next_deadline()))
    }

    fn on_deadline(&mut self, cx: &mut Ctx<'_>) {
        self.ask(cx);
        self.say_missing(cx);
        if self.look.is_some_and(|at| at <= cx.now) {
            self.look = None;
            self.look_around(cx);
        }
    }

    fn view(&self, peers: &PeerTable) -> View {
        self.seen(peers)
    }
}

impl Mesh {
    fn on_frame(&mut self, cx: &mut Ctx<'_>, from: Peer, body: &[u8]) {
        let Ok(msg) = Msg::decode(body) else {
            self.ignored = self.ignored.saturating_add(1);
            return;
        };
        cx.out.trace(msg.name(), from, false);
        match msg {
            Msg::Join { nonce, nick } => self.on_join(cx, from, nonce, &nick),
            Msg::Accepted { nonce } => self.on_accepted(cx, from, nonce),
            Msg::Refused { nonce, holder } => self.on_refused(cx, from, nonce, holder),
            Msg::Missing(ids) => self.on_missing(cx, from, ids),
            Msg::Prune { origin } => self.on_prune(cx, from, origin),
        }
    }
}
