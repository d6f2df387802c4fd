//! The right to found a group, which a service gives to one member at a time.

use core::time::Duration;

use tertulia_core::id::PeerId;
use tertulia_core::time::Instant;
use tertulia_core::wire::{Reader, WireError, Writer};

/// Who may found has so long to do it, or to ask again.
const LEASE: Duration = Duration::from_secs(10);

/// Who may found, and until when.
#[derive(Debug, Default)]
pub(in crate::discovery) struct Lease {
    held: Option<(PeerId, Instant)>,
    /// Another one holds it than was kept.
    dirty: bool,
}

impl Lease {
    /// True when `who` may found the group: nobody else may at this moment.
    pub(in crate::discovery) fn take(&mut self, now: Instant, who: PeerId) -> bool {
        let free = self.held.is_none_or(|(holder, until)| holder == who || until <= now);
        if free {
            self.dirty |= self.held.is_none_or(|(holder, _)| holder != who);
            self.held = Some((who, now + LEASE));
        }
        free
    }

    /// `who` lets go of it, or has founded.
    pub(in crate::discovery) fn release(&mut self, who: &PeerId) {
        self.dirty |= self.held.take_if(|(holder, _)| holder == who).is_some();
    }

    /// True when it is to be kept, and was not since this was last asked.
    pub(in crate::discovery) fn changed(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// Appends who holds it: a service that restarts gives it to nobody else.
    pub(in crate::discovery) fn write(&self, w: &mut Writer) {
        w.u8(u8::from(self.held.is_some()));
        if let Some((holder, _)) = &self.held {
            w.raw(&holder.0);
        }
    }

    /// Reads what [`write`](Lease::write) wrote; the holder has the usual time.
    pub(in crate::discovery) fn read(r: &mut Reader<'_>, now: Instant) -> Result<Self, WireError> {
        let held = match r.u8()? {
            0 => None,
            1 => Some((r.peer_id()?, now + LEASE)),
            _ => return Err(WireError::Range("lease")),
        };
        Ok(Lease { held, dirty: false })
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

    #[test]
    fn who_asks_again_keeps_it_and_a_restart_gives_it_to_nobody_else() {
        let at = |seconds: u64| Instant::from_millis(seconds * 1000);
        let peer = |n| PeerId([n; 32]);
        let mut lease = Lease::default();
        assert!(!lease.changed());
        assert!(lease.take(at(0), peer(1)) && lease.changed());
        assert!(lease.take(at(9), peer(1)) && !lease.changed(), "the same is not kept again");
        assert!(!lease.take(at(18), peer(2)));
        let mut w = Writer::new();
        lease.write(&mut w);
        let bytes = w.finish();
        let mut again = Lease::read(&mut Reader::new(&bytes), at(0)).unwrap();
        assert!(!again.take(at(9), peer(2)) && again.take(at(10), peer(2)));
    }
}
