//! The links that are up: at most one to a peer.
//!
//! Two ends that dial each other at the same time make two links; both keep the one dialled by the smaller id. A
//! peer that restarted, or that lost its end, makes a second link too: then the newer one stays. So nobody is left
//! holding an end that the other has forgotten.

use core::time::Duration;
use std::collections::BTreeMap;

use super::api::LinkId;
use crate::id::{Incarnation, Peer, PeerId};
use crate::time::Instant;

/// Two links within this time are taken for a crossing of dials.
const CROSSING: Duration = Duration::from_secs(3);

/// An estimate of the round trip (after RFC 6298).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    smoothed: Option<(Duration, Duration)>,
}

impl Rtt {
    pub(crate) fn sample(&mut self, rtt: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (rtt, rtt / 2),
            Some((s, var)) => ((s * 7 + rtt) / 8, (var * 3 + s.abs_diff(rtt)) / 4),
        });
    }

    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed.map(|(s, _)| s)
    }

    /// When to give an answer up, not before `least`.
    pub(crate) fn timeout(&self, least: Duration) -> Duration {
        self.smoothed.map_or(least, |(s, var)| (s + var * 4).max(least))
    }
}

/// How far the two rosters are, over one link (see [`sync`](super::sync)).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LinkSync {
    /// Changes up to here were sent.
    pub(crate) sent: u64,
    /// Changes up to here have arrived there.
    pub(crate) acked: u64,
    /// When `sent` was sent, for the round trip; `None` after a resend.
    pub(crate) timed: Option<(u64, Instant)>,
    /// Changes of the other end up to here have arrived here.
    pub(crate) heard: u64,
    /// When to send next.
    pub(crate) due: Option<Instant>,
    /// Not before this.
    pub(crate) pause_until: Instant,
    /// When to take what was sent for lost.
    pub(crate) resend_at: Option<Instant>,
    /// Resends in a row.
    pub(crate) resends: u32,
    /// The other end has told all it knew.
    pub(crate) complete: bool,
    /// Progress of third parties that is older than this count of changes is not told (see [`sync`](super::sync)).
    pub(crate) rows_after: u64,
    /// When `heard` last rose, and by when the other end is to be told.
    pub(crate) heard_at: Instant,
    pub(crate) answer_by: Option<Instant>,
}

/// Where the detector stands with one neighbour.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Probing {
    pub(crate) nonce: u64,
    pub(crate) sent: Option<Instant>,
    pub(crate) indirect: bool,
    pub(crate) deadline: Option<Instant>,
}

/// One link that is up.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) peer: Peer,
    /// One bit of a word, to mark what this neighbour is known to know; zero when there are too many links.
    pub(crate) mark: u64,
    pub(crate) incarnation: Incarnation,
    pub(crate) dialed: bool,
    pub(crate) up: Instant,
    /// When anything last arrived.
    pub(crate) heard: Instant,
    pub(crate) rtt: Rtt,
    /// Parcels go this way at once, not only word of them.
    pub(crate) eager: bool,
    /// The topology here wants it.
    pub(crate) wanted: bool,
    /// The topology there wants it.
    pub(crate) wanted_there: bool,
    /// The other end says that it is a member.
    pub(crate) member_there: bool,
    /// Since when nobody wants it.
    pub(crate) unneeded: Option<Instant>,
    pub(crate) sync: LinkSync,
    pub(crate) probing: Probing,
    /// The other end said goodbye.
    pub(crate) bye: bool,
}

/// What becomes of a second link to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Second {
    Replace,
    Refuse,
}

/// The links that are up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    slots: Vec<Option<Box<Link>>>,
    by_id: BTreeMap<LinkId, Peer>,
    up: Vec<Peer>,
}

impl Links {
    pub(crate) fn get(&self, peer: Peer) -> Option<&Link> {
        self.slots.get(peer.index())?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, peer: Peer) -> Option<&mut Link> {
        self.slots.get_mut(peer.index())?.as_deref_mut()
    }

    pub(crate) fn peer(&self, id: LinkId) -> Option<Peer> {
        self.by_id.get(&id).copied()
    }

    /// The mark of the link to a peer; zero without a link.
    pub(crate) fn mark(&self, peer: Peer) -> u64 {
        self.get(peer).map_or(0, |l| l.mark)
    }

    /// Linked peers, in the order in which their links came up.
    pub(crate) fn up(&self) -> &[Peer] {
        &self.up
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.up.iter().filter_map(|&p| self.get(p))
    }

    pub(crate) fn for_each(&mut self, mut f: impl FnMut(&mut Link)) {
        for peer in &self.up {
            if let Some(link) = self.slots.get_mut(peer.index()).and_then(|s| s.as_deref_mut()) {
                f(link);
            }
        }
    }

    pub(crate) fn insert(&mut self, mut link: Link) {
        let peer = link.peer;
        let taken = self.iter().fold(0, |all, l| all | l.mark);
        link.mark = !taken & taken.wrapping_add(1);
        if self.slots.len() <= peer.index() {
            self.slots.resize_with(peer.index() + 1, || None);
        }
        self.by_id.insert(link.id, peer);
        self.up.push(peer);
        self.slots[peer.index()] = Some(Box::new(link));
    }

    pub(crate) fn remove(&mut self, id: LinkId) -> Option<Link> {
        let peer = self.by_id.remove(&id)?;
        self.up.retain(|&p| p != peer);
        self.slots[peer.index()].take().map(|b| *b)
    }

    /// Which of two links to the same peer stays; both ends come to the same answer.
    pub(crate) fn second(
        old: &Link,
        dialed: bool,
        run: Incarnation,
        ids: (PeerId, PeerId),
        now: Instant,
    ) -> Second {
        let (me, them) = ids;
        if run != old.incarnation {
            return if run > old.incarnation { Second::Replace } else { Second::Refuse };
        }
        let crossing = old.dialed != dialed && now.since(old.up) < CROSSING;
        let by_smaller = dialed == (me < them);
        if crossing && !by_smaller { Second::Refuse } else { Second::Replace }
    }
}
