//! A store that forgets.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Loaded, Store, StoreError, kind};

/// Items in memory, gone with the value.
#[derive(Debug, Default)]
pub struct MemoryStore {
    items: Mutex<BTreeMap<&'static str, Vec<u8>>>,
}

impl Store for MemoryStore {
    fn kind(&self) -> &'static str {
        kind::MEMORY
    }

    fn load(&self, item: &'static str) -> Result<Loaded, StoreError> {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Loaded { bytes: items.get(item).cloned(), older: false, notice: None })
    }

    fn save(&self, item: &'static str, bytes: &[u8]) -> Result<(), StoreError> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).insert(item, bytes.to_vec());
        Ok(())
    }
}
