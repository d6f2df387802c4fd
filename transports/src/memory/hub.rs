//! The hub: who listens under which name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tertulia::link::{Listener, Locator, RawLink, TransportCode, TransportError};
use tokio::sync::mpsc;

use super::KIND;

/// Connections that wait for a listener to accept them.
const BACKLOG: usize = 64;

/// The place where members of one program meet. Clones are the same hub.
#[derive(Clone, Debug, Default)]
pub struct Hub(Arc<Mutex<Names>>);

#[derive(Debug, Default)]
struct Names {
    doors: BTreeMap<Locator, mpsc::Sender<RawLink>>,
    given: u64,
}

impl Hub {
    /// A hub that nobody listens at.
    #[must_use]
    pub fn new() -> Self {
        Hub::default()
    }

    fn with<T>(&self, f: impl FnOnce(&mut Names) -> T) -> T {
        // The table is whole between any two statements, so a panic elsewhere does not spoil it.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn listen(&self, at: &Locator) -> Result<MemoryListener, TransportError> {
        let (tx, rx) = mpsc::channel(BACKLOG);
        let local = self.with(|names| {
            let local = if at.rest().is_empty() { names.free("listener")? } else { at.clone() };
            match names.doors.entry(local.clone()) {
                Entry::Occupied(mut door) if door.get().is_closed() => drop(door.insert(tx)),
                Entry::Occupied(_) => {
                    return Err(TransportError::new(
                        TransportCode::AddressInUse,
                        format!("cannot listen on {at}"),
                        "another member of this hub listens there",
                    ));
                }
                Entry::Vacant(door) => drop(door.insert(tx)),
            }
            Ok(local)
        })?;
        Ok(MemoryListener { hub: self.clone(), local, rx })
    }

    /// The listener at `to`, and a name for the one who dials.
    pub(super) fn door(&self, to: &Locator) -> Result<(mpsc::Sender<RawLink>, Locator), TransportError> {
        self.with(|names| {
            let door = names.doors.get(to).cloned().ok_or_else(|| nobody(to))?;
            Ok((door, names.free("dialler")?))
        })
    }
}

impl Names {
    fn free(&mut self, what: &str) -> Result<Locator, TransportError> {
        loop {
            self.given += 1;
            let name = Locator::new(KIND, &format!("{what}-{}", self.given));
            let name = name.map_err(|error| {
                TransportError::new(TransportCode::BadAddress, "cannot name a link", error.to_string())
            })?;
            if !self.doors.contains_key(&name) {
                return Ok(name);
            }
        }
    }
}

pub(super) fn nobody(to: &Locator) -> TransportError {
    TransportError::new(TransportCode::Unreachable, format!("cannot dial {to}"), "nobody listens there")
}

/// A listener at a hub; its name is free again when it is dropped.
pub(super) struct MemoryListener {
    hub: Hub,
    local: Locator,
    rx: mpsc::Receiver<RawLink>,
}

#[async_trait]
impl Listener for MemoryListener {
    fn local(&self) -> Locator {
        self.local.clone()
    }

    async fn accept(&mut self) -> Result<RawLink, TransportError> {
        // The hub holds a sender for as long as this listener lives.
        self.rx.recv().await.ok_or_else(TransportError::closed)
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.rx.close();
        self.hub.with(|names| {
            if names.doors.get(&self.local).is_some_and(mpsc::Sender::is_closed) {
                names.doors.remove(&self.local);
            }
        });
    }
}
