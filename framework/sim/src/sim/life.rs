//! The life of nodes: founding, joining, leaving, dying, coming back.

use std::collections::BTreeSet;
use std::sync::Arc;

use tertulia_core::auth::Auth;
use tertulia_core::engine::api::{Down, Input};
use tertulia_core::engine::{Engine, Setup};
use tertulia_core::id::Incarnation;
use tertulia_core::peers::Addr;
use tertulia_core::rng::NodeRng;

use super::Sim;
use super::config::EPOCH_MS;
use super::node::{Node, Status, Stored};
use crate::auth::{SimAuth, peer_id};

/// How a node comes back.
#[derive(Clone, Debug, Default)]
pub struct Restart {
    /// What it stored is gone: its address book, its last incarnation, when it claimed its nick. The key stays, and
    /// with it what its topology keeps: a vote that was given under this key is not given again.
    pub forget: bool,
    /// Members to dial; none: its address book, and without one whoever runs.
    pub contacts: Vec<u32>,
    /// A bug put in on purpose: the incarnation stays as it was.
    pub same_incarnation: bool,
}

impl Sim<'_> {
    /// Starts a new node that founds a group.
    pub fn found(&mut self) -> u32 {
        let node = self.create();
        self.start(node, false);
        self.feed(node, Input::Found);
        node
    }

    /// Starts a new node that joins through any of `contacts`.
    pub fn join(&mut self, contacts: &[u32]) -> u32 {
        let node = self.create();
        self.fault("join", Some(node));
        self.start(node, false);
        let addrs = contacts.iter().map(|&c| self.addr(c)).collect();
        self.invite(node, addrs);
        node
    }

    /// Starts `count` new nodes at once that join through any of `contacts`.
    pub fn join_many(&mut self, count: u32, contacts: &[u32]) {
        for _ in 0..count {
            self.join(contacts);
        }
    }

    /// Kills a node's process: its links break, what it had in memory is gone. With `silent` its host dies as
    /// well and nobody is told. False when it does not run.
    pub fn crash(&mut self, n: u32, silent: bool) -> bool {
        if !self.status(n).runs() {
            return false;
        }
        self.fault(if silent { "silent-crash" } else { "crash" }, Some(n));
        self.oracle.ended(self.now, n, false);
        let status = if silent { Status::Silent } else { Status::Crashed };
        self.shut(n, status);
        true
    }

    /// Starts a node again that crashed, left or stopped: the same key, a higher incarnation.
    pub fn restart(&mut self, n: u32, how: &Restart) -> bool {
        if self.status(n) == Status::Absent || self.status(n).runs() {
            return false;
        }
        self.fault("restart", Some(n));
        if how.forget {
            let wall = self.wall_ms();
            let stored = &mut self.nodes[n as usize].stored;
            stored.book.clear();
            stored.claimed_at = wall;
            if !how.same_incarnation {
                stored.incarnation = Incarnation(0);
            }
        }
        if self.config.new_port {
            self.nodes[n as usize].port += 1;
        }
        self.start(n, how.same_incarnation);
        let mut contacts = how.contacts.clone();
        if contacts.is_empty() && self.nodes[n as usize].stored.book.is_empty() {
            contacts.extend(self.running.iter().copied().filter(|&c| c != n).take(3));
        }
        let addrs = contacts.iter().map(|&c| self.addr(c)).collect();
        self.invite(n, addrs);
        true
    }

    fn invite(&mut self, n: u32, addrs: Vec<Addr>) {
        self.nodes[n as usize].contacts.clone_from(&addrs);
        self.feed(n, Input::Join(addrs));
    }

    /// True while a node looks for a member, and nobody listens at any address that it was given or remembers.
    #[must_use]
    pub fn is_lost(&self, n: u32) -> bool {
        if self.status(n) != Status::Running || self.ready_at(n).is_some() {
            return false;
        }
        let node = &self.nodes[n as usize];
        let mut known = node.contacts.iter().chain(node.stored.book.iter().flat_map(|entry| &entry.1));
        let there: BTreeSet<Addr> = self.members().filter(|&m| m != n).map(|m| self.addr(m)).collect();
        !known.any(|addr| there.contains(addr))
    }

    /// Asks a node to leave. It goes once what it published is on its way.
    pub fn leave(&mut self, n: u32) -> bool {
        if self.status(n) != Status::Running {
            return false;
        }
        self.fault("leave", Some(n));
        let node = &mut self.nodes[n as usize];
        node.status = Status::Leaving;
        node.since = self.now;
        if !node.frozen {
            self.settle(n);
        }
        true
    }

    fn create(&mut self) -> u32 {
        let n = self.nodes.len() as u32;
        let nick = if self.config.same_nick { Arc::from("ana") } else { Arc::from(format!("n{n}")) };
        let stored = Stored {
            incarnation: Incarnation(0),
            parcels: 0,
            nick,
            claimed_at: self.wall_ms(),
            book: Vec::new(),
            slot: None,
        };
        self.nodes.push(Node::new(peer_id(self.auth_key, n), stored));
        n
    }

    fn wall_ms(&self) -> u64 {
        EPOCH_MS + self.now.as_millis()
    }

    fn start(&mut self, n: u32, same_incarnation: bool) {
        let wall = self.wall_ms();
        let addr = self.addr(n);
        let plain = SimAuth::new(self.auth_key, n);
        let auth: Box<dyn Auth> = match &self.wrap {
            Some(wrap) => wrap(plain),
            None => Box::new(plain),
        };
        let node = &mut self.nodes[n as usize];
        let before = (node.stored.incarnation, node.stored.parcels);
        node.stored.parcels = 0;
        if !same_incarnation {
            node.stored.incarnation = Incarnation(wall.max(node.stored.incarnation.0 + 1));
        }
        node.run += 1;
        let setup = Setup {
            config: self.config.engine.clone(),
            auth,
            topology: (self.make)(n),
            seed: NodeRng::fork(self.config.seed, u64::from(node.run) << 40 | u64::from(n) << 8 | 3)
                .next_u64(),
            incarnation: node.stored.incarnation,
            before,
            epoch: 0,
            nick: Arc::clone(&node.stored.nick),
            nick_explicit: false,
            claimed_at: node.stored.claimed_at,
            addrs: vec![addr],
            book: node.stored.book.clone(),
            slot: node.stored.slot.clone(),
            planted: self.planted,
        };
        node.engine = Some(Box::new(Engine::new(setup)));
        node.status = Status::Running;
        node.since = self.now;
        node.frozen = false;
        node.told_leave = false;
        node.ready_at = None;
        node.refused = None;
        node.stuck = 0;
        let incarnation = node.stored.incarnation;
        if let Err(at) = self.running.binary_search(&n) {
            self.running.insert(at, n);
        }
        self.oracle.started(n, incarnation);
        self.note(8, u64::from(n), incarnation.0);
    }

    /// An engine is done.
    pub(super) fn stopped(&mut self, n: u32) {
        let status = match self.nodes[n as usize].status {
            Status::Leaving => Status::Left,
            _ => Status::Stopped,
        };
        self.oracle.ended(self.now, n, true);
        self.shut(n, status);
    }

    /// Ends a run: links, dials, queues.
    fn shut(&mut self, n: u32, status: Status) {
        let node = &mut self.nodes[n as usize];
        node.status = status;
        node.since = self.now;
        node.engine = None;
        node.frozen = false;
        node.wake = None;
        node.ready_at = None;
        node.dials.clear();
        node.backlog.clear();
        node.pending.clear();
        node.pending_bytes = 0;
        let links = std::mem::take(&mut node.links);
        if status == Status::Silent {
            node.unsaid.extend(links.iter().map(|end| end.id));
        } else {
            for end in &links {
                self.say_closed(n, end, Down::Closed);
            }
        }
        if let Ok(at) = self.running.binary_search(&n) {
            self.running.remove(at);
        }
        self.note(9, u64::from(n), status as u64);
    }
}
