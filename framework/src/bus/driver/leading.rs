//! What discovery is told while this node leads: who elects the next leader, and where they can be reached.

use core::time::Duration;

use bytes::Bytes;
use tertulia_core::id::{Peer, PeerId};
use tertulia_core::time::Instant;
use tokio::sync::watch;

use super::Driver;
use crate::discovery::{Electors, Leading};
use crate::link::Locator;

/// The pause between two looks at the electors: the engine says nothing when they change.
const LOOK: Duration = Duration::from_millis(100);

/// This node leads, and discovery knows.
pub(super) struct Office {
    electors: watch::Sender<Electors>,
    /// When to look again, and whether anything has happened since the last look.
    look: Instant,
    due: bool,
}

impl Office {
    /// When to wake for it.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.then_some(self.look)
    }
}

impl Driver {
    /// A leader was elected: this node, with that proof, or another one.
    pub(super) fn led(&mut self, leader: PeerId, proof: Bytes) {
        self.office = None;
        let Some(discovery) = self.discovery.clone() else { return };
        if leader != self.shared.me {
            discovery.leads(None);
            return;
        }
        let (sender, electors) = watch::channel(self.electors(&self.engine.view().electors));
        self.office = Some(Office { electors: sender, look: self.now + LOOK, due: true });
        discovery.leads(Some(Leading { proof, electors }));
    }

    /// Tells of the electors when they have changed, or that this node leads no longer.
    pub(super) fn look_at_electors(&mut self) {
        let Some(office) = &mut self.office else { return };
        office.due = office.look > self.now;
        if office.due {
            return;
        }
        office.look = self.now + LOOK;
        let view = self.engine.view();
        if view.leader == Some(Peer::ME) {
            let electors = self.electors(&view.electors);
            if let Some(office) = &self.office {
                office.electors.send_if_modified(|told| {
                    let changed = *told != electors;
                    *told = electors;
                    changed
                });
            }
        } else {
            // Without a majority, and nobody follows whose event would say so.
            self.office = None;
            if let Some(discovery) = &self.discovery {
                discovery.leads(None);
            }
        }
    }

    /// These members, and where they can be reached.
    fn electors(&self, ids: &[PeerId]) -> Electors {
        let (peers, scheme) = (self.engine.peers(), self.shared.addr.scheme());
        let addrs = |id: &PeerId| match peers.find(id) {
            Some(Peer::ME) => vec![self.shared.addr.clone()],
            Some(peer) => {
                peers.get(peer).addrs.iter().filter_map(|a| Locator::parse_or(scheme, a).ok()).collect()
            }
            None => Vec::new(),
        };
        ids.iter().map(|id| (*id, addrs(id))).collect()
    }
}
