//! The right to found a group, which a service gives to one member at a time.

use core::time::Duration;

use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;

/// Who may found has so long to do it.
const LEASE: Duration = Duration::from_secs(10);

/// Who may found, and until when.
#[derive(Debug, Default)]
pub(in crate::discovery) struct Lease(Option<(PeerId, Instant)>);

impl Lease {
    /// True when `who` may found the group: nobody else may at this moment.
    pub(in crate::discovery) fn take(&mut self, now: Instant, who: PeerId) -> bool {
        let free = self.0.is_none_or(|(holder, until)| holder == who || until <= now);
        if free {
            self.0 = Some((who, now + LEASE));
        }
        free
    }

    /// `who` lets go of it, or has founded.
    pub(in crate::discovery) fn release(&mut self, who: &PeerId) {
        self.0 = self.0.filter(|(holder, _)| holder != who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_may_found() {
        let at = |seconds: u64| Instant::from_millis(seconds * 1000);
        let peer = |n| PeerId([n; 32]);
        let mut lease = Lease::default();
        assert!(lease.take(at(0), peer(1)) && lease.take(at(1), peer(1)));
        assert!(!lease.take(at(1), peer(2)));
        lease.release(&peer(2));
        assert!(!lease.take(at(1), peer(2)), "only the holder lets go");
        lease.release(&peer(1));
        assert!(lease.take(at(1), peer(2)));
        assert!(!lease.take(at(10), peer(3)));
        assert!(lease.take(at(11), peer(3)), "who takes too long has lost it");
    }
}
