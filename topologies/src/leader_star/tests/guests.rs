//! Newcomers on their way in: where they can be dialled, and the vote of those that go again.

use std::sync::Arc;
use std::time::Duration;

use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::State;
use tertulia_core::topology::Input;

use super::super::messages::{Msg, Place};
use super::super::{Config, build};
use crate::election::{Message, Roll};
use crate::net::Net;

const SECOND: Duration = Duration::from_secs(1);

/// A founder, and nodes that are linked to it and played by the test: as topologies they are nowhere.
struct Scene {
    net: Net,
    founder: usize,
    guest: usize,
    other: usize,
}

fn place_of(net: &Net, who: usize) -> Place {
    let node = &net.nodes[who];
    Place { id: node.id, addrs: node.table.get(Peer::ME).addrs.clone() }
}

impl Scene {
    fn new() -> Self {
        let mut net = Net::new(1);
        let star = || build(Config::default()).unwrap();
        let (founder, guest, other) = (net.add(1, star()), net.add(2, star()), net.add(3, star()));
        net.found(founder);
        net.link(founder, guest);
        net.link(founder, other);
        Scene { net, founder, guest, other }
    }

    fn say(&mut self, who: usize, msg: &Msg) {
        let from = self.net.handle(self.founder, who);
        self.net.input(self.founder, Input::Frame { from, body: &msg.encode() });
    }

    /// Asks to be let in.
    fn ask(&mut self, who: usize) {
        let Place { addrs, id } = place_of(&self.net, who);
        let nick = Arc::from(format!("{id:?}"));
        self.say(who, &Msg::Join { nonce: 1, nick, claimed_at: 1, addrs });
    }

    /// What the founder said last as a leader, with a list.
    fn last_list(&self) -> (u64, Roll, Vec<Place>) {
        let said = self.net.sent.iter().rev().filter(|(from, _)| *from == self.founder);
        said.filter_map(|(_, body)| match Msg::decode(body) {
            Ok(Msg::Election(Message::Lead { number, roll, .. }, places)) => Some((number, roll, places)),
            _ => None,
        })
        .next()
        .unwrap()
    }

    /// Answers the last heartbeat with a list.
    fn answer(&mut self, who: usize) {
        let (number, roll, _) = self.last_list();
        let ack = Message::Ack { number, seen: roll.tag.ballot, tag: roll.tag };
        self.say(who, &Msg::Election(ack, Vec::new()));
    }

    /// Those that a majority has on its list.
    fn electors(&self) -> Vec<PeerId> {
        let node = &self.net.nodes[self.founder];
        node.topology.view(&node.table).electors
    }

    fn founder_leads_alone(&self) -> bool {
        let node = &self.net.nodes[self.founder];
        let view = node.topology.view(&node.table);
        view.leader == Some(Peer::ME) && view.electors == [node.id]
    }
}

#[test]
fn a_newcomer_says_where_it_can_be_dialled() {
    let mut scene = Scene::new();
    scene.net.join(scene.guest, scene.founder);
    let join = scene.net.sent.iter().find_map(|(from, body)| match Msg::decode(body) {
        Ok(Msg::Join { addrs, .. }) if *from == scene.guest => Some(addrs),
        _ => None,
    });
    assert_eq!(join, Some(place_of(&scene.net, scene.guest).addrs));
}

#[test]
fn the_list_says_where_newcomers_can_be_dialled() {
    let mut scene = Scene::new();
    scene.ask(scene.guest);
    assert_eq!(scene.last_list().2, vec![], "on no list yet");
    scene.answer(scene.guest);
    let (_, roll, places) = scene.last_list();
    assert_eq!((roll.members.len(), places), (2, vec![place_of(&scene.net, scene.guest)]));
}

/// It has answered once, or twice: then a majority holds the list with its vote.
#[test]
fn a_newcomer_whose_link_breaks_has_no_vote_any_more() {
    for answers in 0..3 {
        let mut scene = Scene::new();
        scene.ask(scene.guest);
        (0..answers).for_each(|_| scene.answer(scene.guest));
        assert_eq!(scene.electors().len(), 1 + answers / 2);
        scene.net.unlink(scene.founder, scene.guest);
        assert!(scene.founder_leads_alone(), "{answers}");
        scene.net.run(SECOND * 20);
        assert!(scene.founder_leads_alone(), "{answers}, later");
    }
}

#[test]
fn a_newcomer_that_falls_silent_has_no_vote_any_more() {
    for answers in 0..3 {
        let mut scene = Scene::new();
        scene.ask(scene.guest);
        (0..answers).for_each(|_| scene.answer(scene.guest));
        for tenth in 0..200 {
            scene.net.run(SECOND / 10);
            let node = &scene.net.nodes[scene.founder];
            let leads = node.topology.view(&node.table).leader == Some(Peer::ME);
            assert!(leads, "{answers} answers, after {tenth} tenths of a second");
        }
        assert!(scene.founder_leads_alone(), "{answers}");
        // It was only slow.
        scene.net.link(scene.founder, scene.guest);
        scene.ask(scene.guest);
        (0..2).for_each(|_| scene.answer(scene.guest));
        assert_eq!(scene.electors().len(), 2);
    }
}

/// Should all that are on their way in go at once, the founder alone is a majority, or takes the last one back.
#[test]
fn one_newcomer_after_the_other_gets_a_vote() {
    let mut scene = Scene::new();
    scene.ask(scene.guest);
    scene.ask(scene.other);
    for who in [scene.guest, scene.other, scene.guest, scene.other] {
        scene.answer(who);
    }
    let guest = scene.net.nodes[scene.guest].id;
    assert_eq!(scene.electors(), [scene.net.nodes[scene.founder].id, guest]);
    assert_eq!(scene.last_list().1.members.len(), 2);
    // The roster shows the first one.
    let peer = scene.net.handle(scene.founder, scene.guest);
    scene.net.nodes[scene.founder].table.get_mut(peer).state = State::Alive;
    scene.net.input(scene.founder, Input::Member { peer });
    (0..2).for_each(|_| scene.answer(scene.other));
    assert_eq!(scene.last_list().1.members.len(), 3);
    assert_eq!(scene.electors().len(), 3);
}
