//! The mesh in a miniature network, and its rules by themselves.

mod comings;
mod detours;
mod picking;
mod spread;
mod trees;
mod wire;

use std::time::Duration;

use tertulia_core::topology::Topology;

use super::{Config, Degree, build};
use crate::net::Net;

const SETTLE: Duration = Duration::from_secs(10);

fn mesh(degree: Degree) -> Box<dyn Topology> {
    build(&Config { degree, ..Config::default() })
}

/// A settled mesh of `n`; the first one founded it.
fn settled(n: u8, degree: Degree) -> Net {
    let mut net = Net::new(u64::from(n));
    for i in 0..n {
        let who = net.add(i.wrapping_mul(67).wrapping_add(3), mesh(degree));
        if who == 0 {
            net.found(who);
        } else {
            net.join(who, who / 2);
            net.run(Duration::from_secs(1));
            assert!(net.is_member(who), "{who} did not get in");
        }
    }
    net.run(SETTLE);
    net
}
