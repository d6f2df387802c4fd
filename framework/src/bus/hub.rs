//! All subscribers of a node.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tertulia_core::engine::api::{Delivered, Event};
use tertulia_core::id::PeerId;
use tokio::sync::Notify;

use super::mailbox::Mailbox;

/// Hands parcels and events to every mailbox, and knows whether the fullest has room.
#[derive(Debug)]
pub(crate) struct Hub {
    boxes: Mutex<Boxes>,
    limit: AtomicUsize,
    me: OnceLock<PeerId>,
    /// The driver holds data back until somebody reads.
    starved: AtomicBool,
    wake: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Boxes {
    list: Vec<Arc<Mailbox>>,
    over: bool,
}

impl Hub {
    /// A hub that wakes the driver through `wake`.
    pub(crate) fn new(wake: Arc<Notify>, limit: usize) -> Self {
        Hub {
            boxes: Mutex::default(),
            limit: AtomicUsize::new(limit),
            me: OnceLock::new(),
            starved: AtomicBool::new(false),
            wake,
        }
    }

    /// Sets `limits.inbox`.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// The node starts, with this id.
    pub(crate) fn start(&self, me: PeerId) {
        self.me.get_or_init(|| me);
    }

    /// The node's id; all zero before it started.
    pub(crate) fn me(&self) -> PeerId {
        self.me.get().copied().unwrap_or_default()
    }

    /// Adds a subscriber.
    pub(crate) fn subscribe(&self, mailbox: Mailbox) -> Arc<Mailbox> {
        let mailbox = Arc::new(mailbox);
        let mut boxes = self.boxes.lock();
        if boxes.over {
            mailbox.close();
        } else {
            boxes.list.push(mailbox.clone());
        }
        mailbox
    }

    /// Messages for everybody.
    pub(crate) fn parcel(&self, parcel: &Delivered) {
        self.each(|mailbox| {
            if mailbox.wants_parcels() {
                mailbox.parcel(parcel.clone());
            }
        });
    }

    /// An event for everybody.
    pub(crate) fn event(&self, event: &Event) {
        self.each(|mailbox| mailbox.event(event));
    }

    fn each(&self, mut f: impl FnMut(&Mailbox)) {
        let mut boxes = self.boxes.lock();
        boxes.list.retain(|mailbox| {
            let there = !mailbox.abandoned();
            if there {
                f(mailbox);
            }
            there
        });
    }

    /// True when every mailbox has room for more data.
    pub(crate) fn has_room(&self) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        self.boxes.lock().list.iter().all(|mailbox| mailbox.abandoned() || mailbox.bytes() < limit)
    }

    /// Asks to be woken when a mailbox empties; true when there is room already.
    pub(crate) fn starve(&self) -> bool {
        self.starved.store(true, Ordering::SeqCst);
        self.has_room()
    }

    /// A reader has `left` bytes waiting now. Wakes a starved driver once half the room is free.
    pub(crate) fn took(&self, left: usize) {
        if left <= self.limit.load(Ordering::Relaxed) / 2 && self.starved.swap(false, Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// Nothing more will come: readers finish what waits.
    pub(crate) fn close(&self) {
        let mut boxes = self.boxes.lock();
        boxes.over = true;
        boxes.list.drain(..).for_each(|mailbox| mailbox.close());
    }
}
