//! The ring in a miniature network: what it does right, and that planted faults show.

mod check;
mod churn;
mod joining;
mod leaving;
mod net;
mod orders;
mod planted;
mod routing;
mod wire;

use std::time::Duration;

use tertulia_core::topology::Topology;

use super::{Config, Planted, RedundantConfig, build};
use net::Net;

const SETTLE: Duration = Duration::from_secs(30);

fn ring_of(r: u8, planted: Option<Planted>) -> Box<dyn Topology> {
    if r == 1 {
        return build(Config { planted, ..Config::default() }).unwrap();
    }
    build(RedundantConfig { successors: r, planted, ..RedundantConfig::default() }).unwrap()
}

/// A settled ring of `n` with `r` successors each; the first one founded it, ids are spread unevenly.
fn settled(n: u8, r: u8, planted: Option<Planted>) -> Net {
    let mut net = Net::new(u64::from(n) * 100 + u64::from(r));
    for i in 0..n {
        let who = net.add(i.wrapping_mul(67).wrapping_add(3), ring_of(r, planted));
        if who == 0 {
            net.found(who);
        } else {
            net.join(who, 0);
            net.run(Duration::from_secs(12));
            assert!(net.is_member(who), "{who} did not get in");
        }
    }
    net.run(SETTLE);
    net
}
