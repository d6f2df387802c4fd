//! Who is dialled, how often, and what follows when nobody answers.

use tertulia_core::engine::api::{Event, Input};
use tertulia_core::frame::FrameKind;
use tertulia_core::id::{Peer, PeerId};
use tertulia_core::peers::State;
use tertulia_core::time::Instant;

use crate::net::{Net, id_of};
use crate::{ms, secs};

/// Whom a newcomer has asked last to be let in.
fn asked(net: &Net, newcomer: usize) -> Option<PeerId> {
    let engine = &net.nodes[newcomer].engine;
    engine.view().leader.map(|p| engine.peers().id(p))
}

#[test]
fn whoever_is_still_linked_is_not_dialled_again_while_joining() {
    let mut net = Net::group(2);
    let new = net.add_waiting(secs(60));
    // Node 1 is linked, but has not told all it knows when the contact goes.
    net.muted = (1, vec![FrameKind::Sync]);
    net.input(new, Input::Join(vec!["test://0".into(), "test://1".into()]));
    net.run(secs(1));
    assert_eq!(net.nodes[new].links.len(), 2);
    net.crash(0);
    net.run(secs(2));
    net.muted.1.clear();
    net.run(secs(5));
    assert_eq!(asked(&net, new), Some(id_of(1)));
    let dials = |net: &Net| net.nodes[new].dials.iter().filter(|(_, addr)| addr == "test://1").count();
    assert_eq!(dials(&net), 1, "{:?}", net.nodes[new].dials);
    net.crash(1);
    net.run(secs(5));
    assert!(dials(&net) > 1, "without any link it goes on");
}

#[test]
fn a_contact_that_falls_silent_is_given_up_for_another() {
    let mut net = Net::group(2);
    let new = net.add_waiting(secs(60));
    net.input(new, Input::Join(vec!["test://0".into(), "test://1".into()]));
    net.run(secs(1));
    assert_eq!(asked(&net, new), Some(id_of(0)));
    // Its host dies: nobody closes anything.
    net.nodes[0].up = false;
    net.run(secs(10));
    assert_eq!(asked(&net, new), Some(id_of(1)));
}

/// A topology that asks to be let in says where the newcomer can be dialled.
#[test]
fn a_newcomer_knows_its_own_addresses() {
    let mut net = Net::group(1);
    let new = net.add_waiting(secs(60));
    let own = |net: &Net| net.nodes[new].engine.peers().get(Peer::ME).addrs.clone();
    assert_eq!(own(&net), ["test://1".into()]);
    net.input(new, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    assert_eq!(net.state(0, new), State::Unknown);
    net.input(new, Input::Addrs(vec!["test://elsewhere".into()]));
    assert_eq!(own(&net), ["test://elsewhere".into()]);
}

#[test]
fn a_refusal_is_final_when_it_is_said_twice() {
    let mut net = Net::group(2);
    let new = net.add_waiting(secs(60));
    // One hello was altered on its way.
    net.refusing = 1;
    net.input(new, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    assert!(!net.nodes[new].links.is_empty(), "it tried again: {:?}", net.nodes[new].events);

    let stranger = net.add_waiting(secs(60));
    net.refusing = u32::MAX;
    net.input(stranger, Input::Join(vec!["test://0".into(), "test://1".into()]));
    net.run(secs(1));
    let last = net.nodes[stranger].events.last().map(|(_, event)| event.clone());
    assert!(
        matches!(last, Some(Event::Refused { code: "wrong-secret", hint: "check them", .. })),
        "{last:?}"
    );
    assert_eq!(net.nodes[stranger].dials.len(), 4);
}

#[test]
fn links_that_do_not_last_are_redialled_ever_less_often() {
    let mut net = Net::group(2);
    let start = net.now;
    while net.now < start + secs(30) {
        net.run(ms(100));
        net.break_link(0, 1);
    }
    let late = |n: &&(Instant, String)| n.0 >= start + secs(15);
    let late = net.nodes.iter().flat_map(|n| &n.dials).filter(late).count();
    assert!((1..=12).contains(&late), "{late} dials in fifteen seconds");
}

/// A dial that nobody answers takes its time: one of them is enough. Members beyond a cut that have no neighbour on this
/// side would be taken for alive for long, and what they said for gone.
#[test]
fn a_member_that_does_not_answer_a_dial_is_suspected() {
    let mut net = net_with_hearsay();
    net.unanswered = Some(secs(5));
    net.crash(1);
    net.run(secs(6));
    assert_eq!(why_suspected(&net), ["cannot be reached"]);
}

#[test]
fn a_member_that_cannot_be_dialled_is_suspected() {
    let mut net = net_with_hearsay();
    net.crash(2);
    net.crash(1);
    net.run(secs(10));
    assert_eq!(why_suspected(&net), ["cannot be reached"]);
    assert_eq!(net.state(0, 2), State::Dead);
}

/// Node 0 knows of node 2 by hearsay only.
fn net_with_hearsay() -> Net {
    let mut net = Net::group(2);
    let third = net.add(1, "n2", false);
    net.cut = Box::new(|a, b| a + b == 2 && a != b);
    net.input(third, Input::Join(vec!["test://1".into()]));
    net.run(ms(100));
    assert_eq!(net.state(0, 2), State::Alive);
    net
}

/// Why node 0 suspected node 2.
fn why_suspected(net: &Net) -> Vec<&'static str> {
    let told = net.nodes[0].events.iter();
    let reasons = told.filter_map(|(_, e)| match e {
        Event::Suspect(who, reason) if who.peer == id_of(2) => Some(*reason),
        _ => None,
    });
    reasons.collect()
}

#[test]
fn whoever_is_no_member_yet_suspects_nobody() {
    let mut net = Net::group(1);
    let new = net.add_waiting(secs(60));
    net.input(new, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    net.break_link(0, new);
    net.run(secs(5));
    assert_eq!(net.nodes[new].links.len(), 1, "linked again");
    assert_eq!(net.state(new, 0), State::Alive);
}

#[test]
fn what_a_newcomer_learnt_is_told_once_it_is_a_member() {
    let mut net = Net::new();
    (0..2).for_each(|n| assert_eq!(net.add(1, &format!("n{n}"), false), n));
    // Two groups that cannot reach each other, and a newcomer that is linked to both long before it is let in.
    net.cut = Box::new(|a, b| a + b == 1);
    net.input(0, Input::Found);
    net.input(1, Input::Found);
    net.run(secs(1));
    let new = net.add_waiting(secs(3));
    net.input(new, Input::Join(vec!["test://0".into(), "test://1".into()]));
    net.run(secs(2));
    assert!(!net.nodes[new].engine.is_member());
    net.run(secs(8));
    for (n, other) in [(0, 1), (1, 0)] {
        let engine = &net.nodes[n].engine;
        let known = engine.peers().find(&id_of(other)).map(|p| engine.peers().get(p).state);
        assert!(
            known.is_some_and(|state| state != State::Unknown),
            "{n} has not heard of {other}: {known:?}"
        );
    }
}

/// A node that remembers `book` and has just begun to join through it.
fn remembering(net: &mut Net, book: &[usize]) -> usize {
    let new = net.add_remembering(book);
    net.input(new, Input::Join(vec![]));
    new
}

fn is_member(net: &Net, n: usize) -> bool {
    net.nodes[n].engine.is_member()
}

#[test]
fn further_contacts_are_taken_while_joining() {
    let mut net = Net::group(2);
    net.crash(0);
    let new = net.add(1, "new", false);
    net.input(new, Input::Join(vec!["test://0".into()]));
    net.run(ms(500));
    let dials = |net: &Net| net.nodes[new].dials.iter().filter(|(_, addr)| addr == "test://0").count();
    let before = dials(&net);
    // One that is known already is left as it is, and waits for its turn.
    net.input(new, Input::Join(vec!["test://0".into(), "test://1".into()]));
    assert_eq!(dials(&net), before);
    net.run(ms(200));
    assert!(is_member(&net, new));
}

#[test]
fn the_address_book_is_asked_beside_what_was_found() {
    let mut net = Net::group(2);
    net.crash(0);
    let new = net.add_remembering(&[1]);
    net.input(new, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    assert!(!is_member(&net, new));
    net.input(new, Input::Join(vec![]));
    net.run(ms(200));
    assert!(is_member(&net, new));
}

#[test]
fn whom_a_contact_told_of_is_asked_when_it_is_gone() {
    let mut net = Net::group(3);
    let new = net.add_shy(secs(60));
    net.input(new, Input::Join(vec!["test://0".into()]));
    net.run(secs(1));
    assert_eq!(asked(&net, new), Some(id_of(0)));
    net.crash(0);
    net.run(secs(2));
    let asked = asked(&net, new);
    assert!(asked == Some(id_of(1)) || asked == Some(id_of(2)), "{asked:?}");
}

#[test]
fn founds_after_all_when_nobody_answers() {
    let mut net = Net::group(2);
    net.crash(0);
    net.crash(1);
    let new = remembering(&mut net, &[0, 1]);
    assert!(!net.nodes[new].engine.nobody_answers(), "nobody was asked yet");
    net.run(ms(100));
    assert!(net.nodes[new].engine.nobody_answers());
    assert!(!is_member(&net, new), "that is for others to decide");
    net.input(new, Input::Found);
    assert!(is_member(&net, new));
    let told = |e: &Event| matches!(e, Event::Waiting(_));
    assert!(net.nodes[new].events.iter().any(|(_, e)| told(e)), "a group of one comes about silently");
    // Whoever was away meets it later.
    net.restart(0, 2);
    net.input(0, Input::Found);
    net.run(secs(60));
    assert_eq!((net.state(new, 0), net.state(0, new)), (State::Alive, State::Alive));
}

#[test]
fn does_not_found_while_a_member_may_let_it_in() {
    let mut net = Net::group(1);
    let new = net.add_waiting(secs(5));
    net.input(new, Input::Join(vec!["test://0".into()]));
    for _ in 0..20 {
        net.run(ms(1));
        if !net.nodes[new].links.is_empty() {
            assert!(!net.nodes[new].engine.nobody_answers());
            net.input(new, Input::Found);
            assert!(!is_member(&net, new), "it founded while linked");
        }
    }
    assert_eq!(asked(&net, new), Some(id_of(0)));
    // The contact leaves before it could let anybody in.
    net.input(0, Input::Leave(net.now + secs(10)));
    net.run(secs(4));
    assert!(!is_member(&net, new) && net.nodes[new].engine.nobody_answers());
    net.input(new, Input::Found);
    assert!(is_member(&net, new));
}

#[test]
fn newcomers_that_met_do_not_wait_for_each_other() {
    let mut net = Net::new();
    let ana = remembering(&mut net, &[7]);
    let ben = net.add(1, "ben", false);
    net.input(ben, Input::Join(vec!["test://0".into()]));
    net.run(secs(4));
    for newcomer in [ana, ben] {
        assert_eq!(net.nodes[newcomer].links.len(), 1);
        assert!(!is_member(&net, newcomer) && net.nodes[newcomer].engine.nobody_answers());
    }
    net.input(ana, Input::Found);
    net.run(secs(2));
    assert!(is_member(&net, ana) && is_member(&net, ben), "it joins over the link that is there");

    // Without a guard both may found: they meet.
    let mut net = Net::new();
    let both = [net.add(1, "ana", false), net.add(1, "ben", false)];
    net.input(both[0], Input::Join(vec!["test://1".into()]));
    net.input(both[1], Input::Join(vec!["test://9".into()]));
    net.run(secs(4));
    both.into_iter().for_each(|newcomer| net.input(newcomer, Input::Found));
    net.run(secs(10));
    assert_eq!((net.state(0, 1), net.state(1, 0)), (State::Alive, State::Alive));
}

#[test]
fn halves_that_never_heard_of_each_other_meet_when_told_where() {
    let mut net = Net::new();
    let both = [net.add(1, "ana", false), net.add(1, "ben", false)];
    let meet = |net: &mut Net| net.input(0, Input::Meet(vec!["test://0".into(), "test://1".into()]));
    meet(&mut net);
    both.into_iter().for_each(|n| net.input(n, Input::Found));
    net.run(secs(60));
    assert_eq!(net.nodes[0].dials.len(), 0, "nobody has told a member");
    meet(&mut net);
    net.run(secs(10));
    assert_eq!((net.state(0, 1), net.state(1, 0)), (State::Alive, State::Alive));
    let dials = net.nodes[0].dials.len();
    meet(&mut net);
    net.run(secs(10));
    assert_eq!(net.nodes[0].dials.len(), dials, "it knows them");
}

#[test]
fn does_not_found_beside_members_that_refuse_it() {
    let mut net = Net::group(1);
    let new = remembering(&mut net, &[7, 0]);
    (net.refusal, net.refusing) = (("no-voucher", true), u32::MAX);
    for _ in 0..6 {
        net.run(secs(1));
        assert!(!net.nodes[new].engine.nobody_answers());
        net.input(new, Input::Found);
        assert!(!is_member(&net, new), "it founded beside a member that answers");
    }
    let told = |e: &Event| matches!(e, Event::Trouble { code: "no-voucher", hint: "check them", .. });
    assert!(net.nodes[new].events.iter().any(|(_, e)| told(e)), "{:?}", net.nodes[new].events);
    // The member is gone without having let it in.
    net.refusing = 0;
    net.crash(0);
    net.run(secs(2));
    assert!(net.nodes[new].engine.nobody_answers());

    // Or goes on refusing: the reason is told in the end.
    let mut net = Net::group(1);
    let new = remembering(&mut net, &[0, 7]);
    (net.refusal, net.refusing) = (("no-voucher", true), u32::MAX);
    net.run(secs(31));
    let last = net.nodes[new].events.last().map(|(_, event)| event.clone());
    assert!(matches!(last, Some(Event::Refused { code: "no-voucher", .. })), "{last:?}");
}

#[test]
fn a_remembered_address_that_refuses_is_no_reason_to_end() {
    let mut net = Net::new();
    let new = remembering(&mut net, &[7]);
    net.refusing = u32::MAX;
    net.run(secs(2));
    assert!(net.nodes[new].up && net.nodes[new].engine.nobody_answers());
    net.input(new, Input::Join(vec!["test://8".into()]));
    net.run(secs(2));
    assert!(net.nodes[new].up, "not every address is one that was given");

    let mut net = Net::new();
    let new = net.add(1, "new", false);
    net.refusing = u32::MAX;
    net.input(new, Input::Join(vec!["test://7".into()]));
    net.run(secs(2));
    assert!(!net.nodes[new].engine.nobody_answers(), "it has ended");
}
