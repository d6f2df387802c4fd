//! The mesh in a miniature network, and its rules by themselves.

mod comings;
mod detours;
mod picking;
mod spread;
mod trees;
mod views;
mod wire;

use std::time::Duration;

use tertulia_core::units::Span;

use super::{Choice, Config, Degree, build};
use crate::net::Net;

const SETTLE: Duration = Duration::from_secs(15);

const FULL: Config =
    Config { degree: Degree::Full, view: Choice::Pick, passive: 30, shuffle: Span::secs(10), planted: None };

/// Everybody picks so many.
const fn pick(degree: u8) -> Config {
    Config { degree: Degree::Of(degree), view: Choice::Pick, ..FULL }
}

/// Active views of so many.
const fn active(degree: u8) -> Config {
    Config { degree: Degree::Of(degree), view: Choice::Active, ..FULL }
}

const KINDS: [Config; 5] = [FULL, pick(3), pick(4), active(3), active(5)];

/// A settled mesh of `n`; the first one founded it.
fn settled(n: u8, config: Config) -> Net {
    let mut net = Net::new(u64::from(n));
    for i in 0..n {
        let who = net.add(i.wrapping_mul(67).wrapping_add(3), build(config).unwrap());
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
