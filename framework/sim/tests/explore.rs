//! Small groups: a sample of every order of events at every message boundary, or the whole of it.

#[path = "../examples/groups/mod.rs"]
mod groups;

use std::time::Duration;

use groups::Group;
use tertulia_sim::explore::{Explorer, every, explore};
use tertulia_topologies::leader_star::Routing;
use tertulia_topologies::ring::{Config, Planted, build};

fn settles(group: Group) {
    let explorer = group.explorer(every(30));
    let found = explore(&explorer, 2, &|seed, _| group.make(seed));
    println!("one place in {}: {found}", explorer.every);
    assert!(found.schedules > 0 && found.failed == 0, "{found}");
}

#[test]
fn small_rings_settle_whatever_the_order() {
    settles(Group::Ring(Some(1)));
}

#[test]
fn small_redundant_rings_settle_whatever_the_order() {
    settles(Group::Ring(Some(2)));
}

#[test]
fn small_meshes_settle_whatever_the_order() {
    settles(Group::Bare);
    settles(Group::Mesh(None));
    settles(Group::Active(3));
}

#[test]
fn small_stars_settle_whatever_the_order() {
    settles(Group::Star(Routing::Direct));
}

#[test]
fn bugs_put_into_the_ring_are_found() {
    for planted in [Planted::DocumentedQuit, Planted::Chord2001Join] {
        let settle = Duration::from_secs(20);
        let explorer = Explorer { settle, ..Group::Ring(Some(1)).explorer(100) };
        let make = |_, _| build(Config { planted: Some(planted), ..Config::default() });
        let found = explore(&explorer, 2, &make);
        println!("{planted:?}: {found}");
        assert!(found.failed > 0, "{planted:?} is not found");
    }
}
