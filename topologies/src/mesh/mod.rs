#![doc = include_str!("docs.md")]

mod active;
mod beacon;
mod config;
mod detour;
mod join;
mod links;
pub mod messages;
mod pick;
mod route;
mod seek;
mod shuffle;
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

pub use config::{Choice, Config, DEGREE_MAX, DEGREE_MIN, Degree, Planted};
pub use tertulia_core::option::BadOption;

use messages::Msg;
use state::{Mesh, Phase};

/// The name that a profile chooses it by.
pub const KIND: &str = "mesh";

/// What this plug-in is, for people: the page that also opens this module.
pub const DOC: &str = include_str!("docs.md");

/// A mesh with these options.
///
/// # Errors
/// An option out of range.
pub fn build(config: Config) -> Result<Box<dyn Topology>, BadOption> {
    config.check()?;
    Ok(Box::new(Mesh::new(&config)))
}

impl Topology for Mesh {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn needs(&self) -> Needs {
        let roster = if self.degree() > 0 { Scope::View } else { Scope::Group };
        Needs { roster, reliable: false }
    }

    fn on_input(&mut self, cx: &mut Ctx<'_>, input: Input<'_>) {
        match input {
            Input::Found => self.become_member(cx),
            Input::Join { contact, nick, claimed_at } => self.start_join(cx, contact, nick, claimed_at),
            Input::Leave => self.leave(cx),
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
            Phase::Gone => return None,
            Phase::Joining(request) => Some(request.next_deadline()),
            _ => None,
        };
        let parts = [
            joining,
            self.look,
            self.detours.next_deadline(),
            self.active.next_deadline(),
            self.seeking.next_deadline(),
            self.shuffles.next_deadline(),
        ];
        parts.into_iter().fold(None, earliest)
    }

    fn on_deadline(&mut self, cx: &mut Ctx<'_>) {
        if matches!(self.phase, Phase::Gone) {
            return;
        }
        self.ask(cx);
        self.say_missing(cx);
        self.keep_neighbours(cx);
        self.shuffle(cx);
        self.press(cx);
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
    /// Neighbours look for others at once: they are told here, and by the roster.
    fn leave(&mut self, cx: &mut Ctx<'_>) {
        if matches!(self.phase, Phase::Gone) {
            return;
        }
        self.phase = Phase::Gone;
        for peer in self.active.iter().collect::<Vec<_>>() {
            state::send(cx, peer, &Msg::Disconnect { leaving: true });
        }
        cx.out.left();
    }

    fn on_frame(&mut self, cx: &mut Ctx<'_>, from: Peer, body: &[u8]) {
        let Ok(msg) = Msg::decode(body) else {
            self.ignored = self.ignored.saturating_add(1);
            return;
        };
        cx.out.trace(msg.name(), from, false);
        if matches!(self.phase, Phase::Gone) {
            return;
        }
        match msg {
            Msg::Join { nonce, nick } => self.on_join(cx, from, nonce, &nick),
            Msg::Accepted { nonce, places } => self.on_accepted(cx, from, nonce, places),
            Msg::Refused { nonce, holder } => self.on_refused(cx, from, nonce, holder),
            Msg::Missing(ids) => self.on_missing(cx, from, ids),
            Msg::Prune { origin } => self.on_prune(cx, from, origin),
            Msg::ForwardJoin { ttl, newcomer } => self.on_forward_join(cx, from, ttl, newcomer),
            Msg::Neighbour { nonce, need } => self.on_neighbour(cx, from, nonce, need),
            Msg::NeighbourAnswer { nonce, yes } => self.on_answer(cx, from, nonce, yes),
            Msg::Keep { lowest, count } => self.on_keep(cx, from, lowest, count),
            Msg::Disconnect { leaving } => self.on_disconnect(cx, from, leaving),
            Msg::Shuffle { nonce, ttl, origin, places } => {
                self.on_shuffle(cx, from, (nonce, ttl), origin, places);
            }
            Msg::ShuffleReply { nonce, places } => self.on_shuffle_reply(cx, nonce, places),
        }
    }
}
