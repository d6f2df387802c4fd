//! Campaigns: many seeds of every kind of fault, over every kind of group.

#[path = "../examples/groups/mod.rs"]
mod groups;

use groups::Group;
use tertulia_sim::campaign::{Faults, run_many, seeds};
use tertulia_topologies::leader_star::Routing;

fn clean(group: Group, faults: &Faults) {
    let plan = |seed| group.small(faults, seed);
    let outcome = run_many(0..seeds(50), 2, &plan, &|seed, _| group.make(seed));
    println!("{outcome}");
    assert!(outcome.is_clean(), "{outcome}");
    if *faults != Faults::default() {
        let injected = outcome.counters.faults.iter().filter(|(kind, _)| **kind != "join").map(|(_, n)| n);
        assert!(injected.sum::<u64>() > 0 && outcome.counters.repairs > 0, "nothing was put to the test");
    }
}

macro_rules! campaigns {
    ($($name:ident: $group:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn calm() {
                clean($group, &Faults::default());
            }

            #[test]
            fn churn() {
                clean($group, &Faults::churn());
            }

            #[test]
            fn lossy() {
                clean($group, &Faults::lossy());
            }

            #[test]
            fn partitions() {
                clean($group, &Faults::partitions());
            }

            #[test]
            fn freezes() {
                clean($group, &Faults::freezes());
            }

            #[test]
            fn everything() {
                clean($group, &Faults::everything());
            }
        }
    )*};
}

campaigns! {
    mesh: Group::Mesh(None);
    mesh_of_three_picks: Group::Mesh(Some(3));
    mesh_of_active_views: Group::Active(3);
    ring: Group::Ring(None);
    star: Group::Star(Routing::Direct);
    star_through_its_leader: Group::Star(Routing::Leader);
}
