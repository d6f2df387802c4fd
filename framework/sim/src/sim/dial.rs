//! Dialling: addresses, handshakes, what can go wrong with them.

use std::sync::Arc;

use tertulia_core::engine::api::{DialFailure, DialId};
use tertulia_core::peers::Addr;
use tertulia_core::time::Instant;

use super::Sim;
use super::event::{Arrival, Happening, Knock};
use super::node::{End, Status};

/// The address of a node that listens at a port.
pub(super) fn addr(node: u32, port: u32) -> Addr {
    Arc::from(format!("sim://n{node}:{port}"))
}

/// The node and port of an address.
fn parse(addr: &str) -> Option<(u32, u32)> {
    let (node, port) = addr.strip_prefix("sim://n")?.split_once(':')?;
    Some((node.parse().ok()?, port.parse().ok()?))
}

fn nobody(addr: &str) -> DialFailure {
    DialFailure::Nobody(format!("{addr}: nobody listens there"))
}

impl Sim<'_> {
    /// An engine dials.
    pub(super) fn dial(&mut self, from: u32, dial: DialId, addr: &str) {
        let now = self.now;
        let node = &mut self.nodes[from as usize];
        node.dials.push((dial, now));
        let from_run = node.run;
        let target = parse(addr).filter(|&(to, _)| to < self.nodes.len() as u32);
        let Some((to, port)) = target else { return self.dial_fails(from, dial, nobody(addr), now) };
        if to == from {
            let failure = DialFailure::Trouble("that is this node itself".into());
            return self.dial_fails(from, dial, failure, now);
        }
        let at = now + self.latency(from, to);
        let there = &self.nodes[to as usize];
        if there.port != port && there.status != Status::Silent {
            let back = at + self.latency(to, from);
            return match self.paths.apart(from, to) {
                true => self.dial_times_out(from, dial),
                false => self.dial_fails(from, dial, nobody(addr), back),
            };
        }
        let knock = Knock { dial, from, from_run, to, to_run: 0 };
        self.queue.push(at, Happening::At(to, Arrival::Knock(knock)));
    }

    fn dial_fails(&mut self, from: u32, dial: DialId, failure: DialFailure, at: Instant) {
        self.queue.push(at, Happening::At(from, Arrival::DialFailed { dial, failure }));
    }

    /// Nothing will come of a dial; the dialler notices when its time is over.
    pub(super) fn dial_times_out(&mut self, from: u32, dial: DialId) {
        let Some(begun) = self.nodes[from as usize].dials.iter().find(|(d, _)| *d == dial).map(|d| d.1)
        else {
            return;
        };
        let at = (begun + self.config.engine.limits.handshake.0).max(self.now);
        let failure = DialFailure::Trouble("no answer in time".into());
        self.dial_fails(from, dial, failure, at);
    }

    /// True when the dial is still wanted.
    fn dialling(&self, knock: &Knock) -> bool {
        let node = &self.nodes[knock.from as usize];
        node.status.runs() && node.run == knock.from_run && node.dials.iter().any(|(d, _)| *d == knock.dial)
    }

    /// A dial reaches the node that it is meant for.
    pub(super) fn knock(&mut self, mut knock: Knock) {
        let Knock { dial, from, to, .. } = knock;
        if !self.dialling(&knock) {
            return;
        }
        let status = self.nodes[to as usize].status;
        if self.paths.apart(from, to) || status == Status::Silent {
            return self.dial_times_out(from, dial);
        }
        let back = self.latency(to, from);
        if !status.runs() {
            let at = self.now + back;
            return self.dial_fails(from, dial, nobody(&addr(to, self.nodes[to as usize].port)), at);
        }
        knock.to_run = self.nodes[to as usize].run;
        let mut at = self.now + back;
        for _ in 1..self.config.handshake_trips {
            at = at + self.latency(from, to) + self.latency(to, from);
        }
        for _ in 0..self.config.handshake_trips * 2 {
            if self.net_rng.chance(self.network.loss) {
                self.counters.fault("loss");
                at += self.config.retransmit;
            }
        }
        self.queue.push(at, Happening::At(from, Arrival::Answer(knock)));
    }

    /// The dialler has the last answer of the handshake: the link is up, at the other end one latency later.
    pub(super) fn answer(&mut self, knock: Knock) {
        let Knock { dial, from, to, .. } = knock;
        if !self.dialling(&knock) {
            return;
        }
        let there = &self.nodes[to as usize];
        let begun =
            self.nodes[from as usize].dials.iter().find(|(d, _)| *d == dial).map_or(self.now, |d| d.1);
        let late = self.now.since(begun) > self.config.engine.limits.handshake.0;
        if late || self.paths.apart(from, to) || there.status == Status::Silent {
            return self.dial_times_out(from, dial);
        }
        if !there.status.runs() || there.run != knock.to_run {
            let failure = DialFailure::Trouble("the other end went away".into());
            return self.dial_fails(from, dial, failure, self.now);
        }
        if there.frozen {
            // The handshake stands still until the other end thaws.
            self.nodes[to as usize].backlog.push_back(Arrival::Knock(knock));
            return self.dial_times_out(from, dial);
        }
        self.nodes[from as usize].take_dial(dial);
        let at = self.now + self.latency(from, to);
        let (here, there) = (self.number(from), self.number(to));
        let runs = [from, to].map(|n| self.nodes[n as usize].stored.incarnation);
        let end = |id, peer, peer_id, incarnation| End {
            id,
            peer,
            peer_id,
            incarnation,
            up: false,
            dial: None,
            in_flight: [0; 3],
            last: [at; 2],
        };
        let dialled = End { dial: Some(dial), ..end(here, to, there, runs[1]) };
        self.nodes[from as usize].links.push(dialled);
        self.nodes[to as usize].links.push(end(there, from, here, runs[0]));
        self.counters.links += 1;
        self.queue.push(at, Happening::At(to, Arrival::LinkUp { link: there }));
        self.link_up(from, here);
    }

    fn number(&mut self, node: u32) -> u32 {
        let next = &mut self.nodes[node as usize].next_link;
        *next += 1;
        *next - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip() {
        assert_eq!(parse(&addr(7, 3)), Some((7, 3)));
        for bad in ["sim://n7", "tcp://n7:1", "sim://nx:1", "sim://n7:"] {
            assert_eq!(parse(bad), None);
        }
    }
}
