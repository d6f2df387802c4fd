//! Where the driver puts what one subscriber will read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tertulia_core::engine::api::{Delivered, Event};
use tokio::sync::Notify;

/// What a parcel counts beyond its bytes.
const PARCEL_COST: usize = 256;

/// One thing to read, in the order in which the engine gave it.
#[derive(Debug)]
pub(crate) enum Item {
    /// Messages.
    Parcel(Delivered),
    /// An event.
    Event(Event),
    /// So many events were left out here, since nobody read.
    Lagged(u64),
}

/// A queue between the driver and one subscriber.
///
/// Parcels are bounded in bytes by whoever puts them in: the driver looks at [`bytes`](Mailbox::bytes) first. Events
/// are bounded in number here, and what does not fit leaves a mark.
#[derive(Debug)]
pub(crate) struct Mailbox {
    parcels: bool,
    events: usize,
    state: Mutex<State>,
    bytes: AtomicUsize,
    /// The reader is gone.
    dropped: AtomicBool,
    ready: Notify,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    events: usize,
    over: bool,
}

/// What a parcel counts against `limits.inbox`.
pub(crate) fn weight(parcel: &Delivered) -> usize {
    parcel.body.len() + PARCEL_COST
}

impl Mailbox {
    /// A mailbox for parcels or not, and for at most so many events that wait.
    pub(crate) fn new(parcels: bool, events: usize) -> Self {
        Mailbox {
            parcels,
            events,
            state: Mutex::default(),
            bytes: AtomicUsize::new(0),
            dropped: AtomicBool::new(false),
            ready: Notify::new(),
        }
    }

    /// Bytes of parcels that wait, taken ones not included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    /// True when messages are wanted.
    pub(crate) fn wants_parcels(&self) -> bool {
        self.parcels
    }

    /// Adds messages.
    pub(crate) fn parcel(&self, parcel: Delivered) {
        if self.parcels {
            self.bytes.fetch_add(weight(&parcel), Ordering::AcqRel);
            self.push(|state| state.items.push_back(Item::Parcel(parcel)));
        }
    }

    /// Adds an event, or notes that one is missing.
    pub(crate) fn event(&self, event: &Event) {
        if self.events == 0 {
            return;
        }
        self.push(|state| {
            if state.events < self.events {
                state.events += 1;
                state.items.push_back(Item::Event(event.clone()));
            } else if let Some(Item::Lagged(n)) = state.items.back_mut() {
                *n += 1;
            } else {
                state.items.push_back(Item::Lagged(1));
            }
        });
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        self.push(|state| state.over = true);
    }

    fn push(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        let idle = state.items.is_empty();
        change(&mut state);
        drop(state);
        if idle {
            self.ready.notify_one();
        }
    }

    /// Moves all that waits into `into`, which is empty; `false` when nothing waits and nothing will come.
    pub(crate) fn swap(&self, into: &mut VecDeque<Item>) -> bool {
        let mut state = self.state.lock();
        std::mem::swap(&mut state.items, into);
        state.events = 0;
        !(state.over && into.is_empty())
    }

    /// Waits until something was added. One reader only.
    pub(crate) async fn wait(&self) {
        self.ready.notified().await;
    }

    /// The reader took a parcel out of what it swapped; the bytes that wait now.
    pub(crate) fn took(&self, parcel: &Delivered) -> usize {
        let n = weight(parcel);
        self.bytes.fetch_sub(n, Ordering::AcqRel) - n
    }

    /// The reader is gone.
    pub(crate) fn abandon(&self) {
        self.dropped.store(true, Ordering::Release);
        self.bytes.store(0, Ordering::Release);
        self.state.lock().items.clear();
    }

    /// True once the reader is gone.
    pub(crate) fn abandoned(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_bounded_and_the_gap_is_told() {
        let mailbox = Mailbox::new(false, 2);
        for n in 0..5 {
            mailbox.event(&Event::Waiting(n.to_string()));
        }
        let mut got = VecDeque::new();
        assert!(mailbox.swap(&mut got));
        assert!(matches!(&got[0], Item::Event(Event::Waiting(n)) if n == "0"));
        assert!(matches!(&got[1], Item::Event(Event::Waiting(n)) if n == "1"));
        assert!(matches!(got[2], Item::Lagged(3)));
        got.clear();
        mailbox.event(&Event::Waiting("later".into()));
        mailbox.close();
        assert!(mailbox.swap(&mut got), "what waits is read first");
        got.clear();
        assert!(!mailbox.swap(&mut got));
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken() {
        let mailbox = std::sync::Arc::new(Mailbox::new(false, 2));
        let reader = tokio::spawn({
            let mailbox = mailbox.clone();
            async move {
                let mut got = VecDeque::new();
                while mailbox.swap(&mut got) && got.is_empty() {
                    mailbox.wait().await;
                }
                got.len()
            }
        });
        tokio::task::yield_now().await;
        mailbox.event(&Event::Waiting("now".into()));
        assert_eq!(reader.await.unwrap(), 1);
    }
}
