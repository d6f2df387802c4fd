//! The items of a member: identity, incarnation, address book.

use serde::{Deserialize, Serialize};
use tertulia_core::id::{Incarnation, PeerId};
use zeroize::Zeroizing;

use super::{Loaded, Store, StoreError};
use crate::crypto::Identity;

const IDENTITY: &str = "identity";
const INCARNATION: &str = "incarnation";
const BOOK: &str = "book";

/// Entries of a saved address book at most.
pub const BOOK_MAX: usize = 4096;

/// How far the incarnation jumps when the last one was lost: it must end above what was used, whatever the clock says.
const JUMP: u64 = 3_600_000;

/// A remembered member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookEntry {
    /// Who.
    pub peer: PeerId,
    /// Where it could be reached.
    pub addr: String,
    /// When it was last seen, in milliseconds since 1970.
    pub seen_ms: u64,
}

/// A value, and what a person should know about how it was read.
type Noted<T> = (T, Option<String>);

/// This member's identity: the saved one, or a fresh one that is saved first.
///
/// # Errors
/// When there is one that cannot be read: a member never changes its identity silently.
pub fn identity(store: &dyn Store) -> Result<Noted<Identity>, StoreError> {
    let unusable = |reason: String| StoreError::Io { path: IDENTITY.into(), reason };
    let Loaded { bytes, notice, .. } = store.load(IDENTITY)?;
    if let Some(bytes) = bytes {
        let bytes = Zeroizing::new(bytes);
        let seed = bytes.as_slice().try_into().map_err(|_| damaged(IDENTITY))?;
        return Ok((Identity::from_seed(seed).map_err(|e| unusable(e.to_string()))?, notice));
    }
    let fresh = Identity::generate().map_err(|e| unusable(e.to_string()))?;
    // Twice, so that the copy before the last exists from the start.
    store.save(IDENTITY, fresh.seed())?;
    store.save(IDENTITY, fresh.seed())?;
    Ok((fresh, notice))
}

/// The incarnation of this run, `max(saved + 1, now)`, saved before it is returned.
///
/// # Errors
/// When it cannot be read or saved; it must then not be used.
pub fn next_incarnation(store: &dyn Store, now_ms: u64) -> Result<Noted<Incarnation>, StoreError> {
    let Loaded { bytes, older, notice } = store.load(INCARNATION)?;
    let least = match bytes {
        None => {
            // So that the copy before the last exists from the start.
            store.save(INCARNATION, &now_ms.saturating_sub(1).to_be_bytes())?;
            1
        }
        Some(bytes) => {
            let saved = bytes.as_slice().try_into().map_err(|_| damaged(INCARNATION))?;
            let step = if older { JUMP } else { 1 };
            u64::from_be_bytes(saved).saturating_add(step)
        }
    };
    let next = least.max(now_ms);
    store.save(INCARNATION, &next.to_be_bytes())?;
    Ok((Incarnation(next), notice))
}

/// The saved address book. A damaged one is reported and empty: it can be learnt again.
///
/// # Errors
/// When the system refuses.
pub fn book(store: &dyn Store) -> Result<Noted<Vec<BookEntry>>, StoreError> {
    let lost = |why: &str| (Vec::new(), Some(format!("the saved address book is lost: {why}")));
    match store.load(BOOK) {
        Ok(Loaded { bytes: None, notice, .. }) => Ok((Vec::new(), notice)),
        Ok(Loaded { bytes: Some(bytes), notice, .. }) => {
            Ok(match serde_json::from_slice::<Vec<BookEntry>>(&bytes) {
                Ok(mut entries) => {
                    entries.truncate(BOOK_MAX);
                    (entries, notice)
                }
                Err(e) => lost(&e.to_string()),
            })
        }
        Err(e @ StoreError::Damaged { .. }) => Ok(lost(&e.to_string())),
        Err(e) => Err(e),
    }
}

/// Saves the address book, the latest seen first and as many as fit.
///
/// # Errors
/// When it cannot be saved.
pub fn save_book(store: &dyn Store, entries: &[BookEntry]) -> Result<(), StoreError> {
    let mut latest: Vec<&BookEntry> = entries.iter().collect();
    latest.sort_by_key(|e| (std::cmp::Reverse(e.seen_ms), e.peer));
    latest.truncate(BOOK_MAX);
    let bytes = serde_json::to_vec(&latest)
        .map_err(|e| StoreError::Io { path: BOOK.into(), reason: e.to_string() })?;
    store.save(BOOK, &bytes)
}

fn damaged(item: &str) -> StoreError {
    StoreError::Damaged {
        path: item.to_owned(),
        remedy: "restore it from a backup, or remove it to begin anew",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FileStore, MemoryStore};
    use super::*;

    #[test]
    fn an_identity_is_made_once_and_survives_damage() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        let (first, notice) = identity(&store).unwrap();
        assert_eq!(notice, None);
        assert_eq!(identity(&store).unwrap().0.id(), first.id());
        std::fs::write(folder.path().join(IDENTITY), b"x").unwrap();
        let (again, notice) = identity(&store).unwrap();
        assert_eq!(again.id(), first.id());
        assert!(notice.is_some());
        std::fs::write(folder.path().join("identity.old"), b"x").unwrap();
        assert!(identity(&store).is_err());
        assert_ne!(identity(&MemoryStore::default()).unwrap().0.id(), first.id());
    }

    #[test]
    fn incarnations_rise_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        let next = |now| next_incarnation(&store, now).unwrap().0.0;
        assert_eq!(next(1000), 1000);
        assert_eq!(next(1000), 1001);
        assert_eq!(next(5), 1002);
        assert_eq!(next(2000), 2000);
        std::fs::write(folder.path().join(INCARNATION), b"x").unwrap();
        assert!(next(5) > 2000, "above the one that was lost");
    }

    #[test]
    fn the_book_is_kept_and_its_loss_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        assert_eq!(book(&store).unwrap(), (vec![], None));
        let entry =
            |n: u8| BookEntry { peer: PeerId([n; 32]), addr: format!("tcp://h:{n}"), seen_ms: u64::from(n) };
        save_book(&store, &[entry(1), entry(2)]).unwrap();
        assert_eq!(book(&store).unwrap(), (vec![entry(2), entry(1)], None));
        std::fs::write(folder.path().join(BOOK), b"x").unwrap();
        let (entries, notice) = book(&store).unwrap();
        assert!(entries.is_empty() && notice.unwrap().contains("lost"));
        let many: Vec<_> = (0..6000).map(|n| BookEntry { seen_ms: n, ..entry(1) }).collect();
        save_book(&store, &many).unwrap();
        assert_eq!(book(&store).unwrap().0.len(), BOOK_MAX);
    }
}
